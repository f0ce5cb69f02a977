"""Files of an object that are on the disk."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Names of the files of an object, each below the folder of its kind; None where it is not written.

    Attributes:
        snapshot: best picture.
        clip: video.
    """

    snapshot: str | None = None
    clip: str | None = None


NONE = StoredFiles()
"""Files of an object that has none."""
