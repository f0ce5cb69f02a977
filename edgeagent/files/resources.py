"""Files that are installed with the program: default bundle and sample clip."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def default_bundle() -> Path:
    """Return the directory of the default bundle: in the package, or in ``models/`` of a checkout."""
    installed = _PACKAGE / "models" / "coco-nano"
    return installed if installed.is_dir() else _PACKAGE.parent / "models" / "coco-nano"


def sample_clip() -> Path:
    """Return the path of the sample clip: 768 x 576, 10 frames/s, people on a campus (see NOTICE)."""
    return _PACKAGE / "data" / "campus.mp4"
