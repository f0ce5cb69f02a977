"""Files installed with the program: bundles, board profiles, default configuration, sample clip."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]

DEFAULT_BUNDLE = "coco-small"


def included_bundles() -> dict[str, Path]:
    """Return the directories of the included bundles by name: in the package, or in a checkout."""
    return {path.parent.name: path.parent for path in sorted(_bundles().glob("*/manifest.yaml"))}


def default_bundle() -> Path:
    """Return the directory of the default bundle."""
    return _bundles() / DEFAULT_BUNDLE


def find_bundle(bundle: str | Path | None, directory: Path = Path()) -> Path:
    """Return the directory of a bundle.

    Args:
        bundle: a directory; or the name of an included bundle, such as ``coco-nano``, where there is no
            directory of that name; None is the default bundle.
        directory: directory that a relative ``bundle`` is looked for in.
    """
    if bundle is None:
        return default_bundle()
    path = directory / bundle
    return path if os.path.isdir(path) else included_bundles().get(str(bundle), path)  # noqa: PTH112  (raises nothing)


def _bundles() -> Path:
    installed = _PACKAGE / "models"
    return installed if installed.is_dir() else _PACKAGE.parent / "models"


def board_folder() -> Path:
    """Return the directory of the board profiles: in the package, or in a checkout."""
    installed = _PACKAGE / "config" / "boards"
    return installed if installed.is_dir() else _PACKAGE.parent / "config" / "boards"


def sample_clip() -> Path:
    """Return the path of the sample clip: 768 x 576, 10 frames/s, people on a campus (see NOTICE)."""
    return _PACKAGE / "data" / "campus.mp4"


def included_configuration() -> Path:
    """Return the path of the configuration with every key and its default, in the package or a checkout."""
    installed = _PACKAGE / "config" / "edgeagent.yaml"
    return installed if installed.is_file() else _PACKAGE.parent / "config" / "edgeagent.yaml"
