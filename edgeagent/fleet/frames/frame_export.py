"""Received frames as a ZIP archive for a labelling tool, or with the labels that have come back."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from edgeagent.datasets.label_export import ProposedObject, ProposedPicture, export_labels
from edgeagent.errors import DataError
from edgeagent.fleet.frames.frame_archive import FrameArchive, ReceivedFrame

MOST_EXPORTED = 500
"""Most frames in one archive."""


def write_archive(archive: FrameArchive, frames: Sequence[ReceivedFrame], kind: str, folder: Path) -> Path:
    """Write frames with their labels, or else with what the model proposes, into a ZIP archive; return it.

    Args:
        archive: that they are in.
        frames: to be written.
        kind: format of the labels, one of :data:`edgeagent.datasets.label_export.EXPORTS`.
        folder: an empty one, for the archive and what goes into it.

    Raises:
        DataError: there is no frame, there are too many, or the folder cannot be written.
    """
    if len(frames) > MOST_EXPORTED:
        raise DataError(f"{len(frames)} frames are too many for one archive; choose {MOST_EXPORTED} at most")
    pictures = [
        ProposedPicture(
            path, one.key.name, one.notes.width, one.notes.height, _objects(one), one.notes.labels
        )
        for one in frames
        if (path := archive.picture(one.key)) is not None
    ]
    out = folder / "frames"
    export_labels(pictures, kind, out)
    packed = folder / "frames.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(out.rglob("*")):
            file.write(path, str(path.relative_to(folder)))
    return packed


def _objects(frame: ReceivedFrame) -> tuple[ProposedObject, ...]:
    found = frame.notes.objects if frame.labels is None else frame.labels.objects
    return tuple(ProposedObject(one.label, one.score, one.box) for one in found)
