"""Web addresses as frame sources: a stream or clip through FFmpeg, or a snapshot address that is polled."""

from __future__ import annotations

from edgeagent.camera.decoding import Decoding, DecodingSource
from edgeagent.camera.snapshot import PictureRequest, SnapshotSource
from edgeagent.camera.source import AwaitedSource, FrameSource, SourceFacts
from edgeagent.camera.stream import StreamSource
from edgeagent.errors import CameraError
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.camera import CameraSettings

SNAPSHOT_FPS = 1.0
"""Pictures per second of a snapshot address without a configured ``fps``."""


class HttpSource:
    """Source of an http or https URL; what it is, the first answer of the server decides at each opening.

    Args:
        settings: settings of the camera.
    """

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings
        self._unreadable = 0
        self._source: FrameSource = self._stream()

    @property
    def facts(self) -> SourceFacts:
        return self._source.facts

    @property
    def position(self) -> float | None:
        return self._source.position

    @property
    def decoding(self) -> Decoding | None:
        """Decoder of the stream; None for a snapshot address."""
        return self._source.decoding if isinstance(self._source, DecodingSource) else None

    @property
    def unreadable(self) -> int:
        return self._unreadable + self._source.unreadable

    def open(self) -> None:
        self.close()
        settings, before = self._settings, self._source.unreadable
        if self._gives_one_picture():
            fps = settings.fps or SNAPSHOT_FPS
            self._source = SnapshotSource(settings.source, fps, settings.open_timeout)
        else:
            self._source = self._stream()
        self._unreadable += before
        self._source.open()

    def await_frame(self) -> bool:
        return isinstance(self._source, AwaitedSource) and self._source.await_frame()

    def read(self, into: Image | None) -> Image | None:
        return self._source.read(into)

    def close(self) -> None:
        self._source.close()

    def _stream(self) -> StreamSource:
        settings = self._settings
        return StreamSource(settings.source, settings.open_timeout, settings.read_timeout)

    def _gives_one_picture(self) -> bool:
        try:
            return PictureRequest(self._settings.source, self._settings.open_timeout).send().one_picture
        except CameraError:
            return False  # FFmpeg knows servers that Python does not, and finds the reason for the message
