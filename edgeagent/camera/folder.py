"""Folder of pictures, or one picture, as a frame source."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from edgeagent.camera.source import SourceFacts
from edgeagent.errors import CameraError, DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import PICTURE_SUFFIXES, read_picture

log = logging.getLogger(__name__)


class FolderSource:
    """Pictures of a folder, sorted by name; a :class:`~edgeagent.camera.source.FrameSource`.

    Subfolders are ignored. An unreadable picture is skipped, counted and logged once. The folder is listed at
    each opening, so a loop includes pictures added since.

    Args:
        path: the folder, or one picture file.
        fps: pictures per second at the pace ``clock``.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 1.0) -> None:
        self._path = Path(path)
        self._fps = fps
        self._pictures: list[Path] = []
        self._next = 0
        self._shown = 0
        self._unreadable: set[Path] = set()

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(live=False, fps=self._fps)

    @property
    def position(self) -> float | None:
        return (self._shown - 1) / self._fps

    @property
    def unreadable(self) -> int:
        return len(self._unreadable)

    def open(self) -> None:
        self._pictures = self._list()
        if not self._pictures:
            raise CameraError(
                f"folder {printable(self._path)} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})"
            )
        self._next = self._shown = 0

    def read(self, into: Image | None) -> Image | None:
        while self._next < len(self._pictures):
            path = self._pictures[self._next]
            self._next += 1
            try:
                image = read_picture(path)
            except DataError as error:
                if path not in self._unreadable:
                    self._unreadable.add(path)
                    log.warning("%s; skipped", error)
                continue
            self._shown += 1
            return image
        if self._shown == 0:
            raise CameraError(
                f"none of the {len(self._pictures)} pictures of {printable(self._path)} can be read"
            )
        return None

    def close(self) -> None:
        self._pictures = []
        self._next = 0

    def _list(self) -> list[Path]:
        try:
            if not self._path.is_dir():
                self._path.stat()
                return [self._path]
            return sorted(
                path
                for path in self._path.iterdir()
                if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
            )
        except OSError as error:
            raise CameraError(f"{printable(self._path)} cannot be opened: {error.strerror}") from error
