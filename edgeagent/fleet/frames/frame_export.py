"""Received frames as a ZIP archive for a labelling tool, or with the labels that have come back."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from edgeagent.datasets.label_export import ProposedObject, ProposedPicture, export_labels
from edgeagent.errors import DataError, EdgeagentError
from edgeagent.fleet.frames.frame_archive import FrameArchive, ReceivedFrame

MOST_EXPORTED = 500
"""Most frames in one archive."""


def pack_frames(archive: FrameArchive, frames: Sequence[ReceivedFrame], kind: str) -> IO[bytes]:
    """Return frames with their labels, or else what the model proposes, as an open, nameless ZIP archive.

    Args:
        archive: that they are in.
        frames: to be written.
        kind: format of the labels, one of :data:`edgeagent.datasets.label_export.EXPORTS`.

    Raises:
        DataError: there is no frame, or there are too many.
        EdgeagentError: the temporary folder has no room, or cannot be written.
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
    try:
        with tempfile.TemporaryDirectory(prefix="edgeagent-frames-") as place:
            try:
                return _packed(pictures, kind, Path(place))
            except DataError as error:
                raise DataError(str(error).replace(f"{place}/", "")) from None
    except OSError as error:
        raise EdgeagentError(
            f"the export cannot be written ({error.strerror}); make room in {tempfile.gettempdir()}"
        ) from error


def _packed(pictures: Sequence[ProposedPicture], kind: str, folder: Path) -> IO[bytes]:
    export_labels(pictures, kind, folder / "frames")
    with zipfile.ZipFile(folder / "frames.zip", "w", zipfile.ZIP_STORED) as file:
        for path in sorted((folder / "frames").rglob("*")):
            file.write(path, str(path.relative_to(folder)))
    return (folder / "frames.zip").open("rb")


def _objects(frame: ReceivedFrame) -> tuple[ProposedObject, ...]:
    found = frame.notes.objects if frame.labels is None else frame.labels.objects
    return tuple(ProposedObject(one.label, one.score, one.box) for one in found)
