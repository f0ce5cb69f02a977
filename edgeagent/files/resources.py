"""Files that come with the program: the default bundle and the sample clip."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def default_bundle() -> Path:
    """Return the directory of the default bundle, of an installed program or of a checkout."""
    installed = _PACKAGE / "models" / "coco-nano"
    return installed if installed.is_dir() else _PACKAGE.parent / "models" / "coco-nano"


def sample_clip() -> Path:
    """Return the sample clip: 768 x 576, 10 frames a second, people on a campus (see NOTICE)."""
    return _PACKAGE / "data" / "campus.mp4"
