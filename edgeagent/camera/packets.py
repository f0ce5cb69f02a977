"""Encoded packets of a camera, read by a thread of their own with PyAV (extra ``clips``).

The stream is opened once more than for detection, or another stream of the same camera is: nothing here can
slow detection down. Only network streams and files have packets that can be read so; a device or a pipeline
gives its pictures to one reader, already decoded.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from edgeagent.camera.packet_ring import PacketRing, StreamFormat
from edgeagent.camera.sources import source_kind
from edgeagent.errors import CameraError, ConfigurationError
from edgeagent.files.naming import redact
from edgeagent.imaging.picture import PICTURE_SUFFIXES
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.timing.backoff import Backoff
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

logger = logging.getLogger(__name__)

CODECS = ("h264", "hevc", "av1", "mpeg4", "mjpeg", "vp9")
"""Codecs that an MP4 file holds and players know."""

LOOP_S = 0.1
"""Pause before a file begins again."""


class PacketStream:
    """Thread that reads the packets of a camera into a ring; reconnects for ever.

    Args:
        camera: its settings.
        ring: receiver of the packets.

    Attributes:
        ring: as given.

    Raises:
        ConfigurationError: the source gives no encoded packets, or PyAV is not installed.
    """

    def __init__(self, camera: CameraSettings, ring: PacketRing) -> None:
        self._camera, self.ring = camera, ring
        self._source = packet_source(camera)
        self._live = source_kind(self._source) == "stream"
        try:
            import av  # noqa: F401 - an extra
        except ImportError as error:
            raise ConfigurationError("clips: PyAV is not installed; pip install edgeagent[clips]") from error
        self._stopping = threading.Event()
        self._backoff = Backoff(camera.retry_first, camera.retry_longest)
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, f"packets-{camera.name}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop the thread; one that waits for the network is abandoned."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            began_s = time.monotonic()
            try:
                self._read()
                if not self._camera.loop and not self._live:
                    return
                self._stopping.wait(LOOP_S)
                continue
            except CameraError as error:
                if self._repeats.allows(str(error), time.monotonic()):
                    logger.warning("clips of camera %s: %s; trying again", self._camera.name, error)
            finally:
                self.ring.disconnect()
            if time.monotonic() - began_s > self._backoff.current:
                self._backoff.reset()
            self._stopping.wait(self._backoff.next())

    def _read(self) -> None:
        """Read the packets of one connection, or of a file at its pace.

        Raises:
            CameraError: the connection cannot be had or is lost.
        """
        import av

        try:
            with self._open() as container:
                stream = self._video(container)
                self.ring.connect(stream_format(stream))
                self._read_stream(container, stream)
        except (av.error.FFmpegError, OSError) as error:
            raise CameraError(f"{redact(self._source)}: {_reason(error)}") from error
        if self._live and not self._stopping.is_set():
            raise CameraError(f"{redact(self._source)} ended the connection")

    def _open(self) -> InputContainer:
        import av

        rtsp = self._source.lower().startswith("rtsp")
        options = {"rtsp_flags": "prefer_tcp"} if rtsp else {}
        timeout = (self._camera.open_timeout, self._camera.read_timeout)
        target = self._source if self._live else f"file:{self._source}"
        return av.open(target, options=options, timeout=timeout)

    def _video(self, container: InputContainer) -> VideoStream:
        if not container.streams.video:
            raise CameraError(f"{redact(self._source)} has no pictures")
        if container.format.name.endswith("_pipe"):
            raise CameraError(f"{redact(self._source)} gives single pictures, not a stream")
        stream = container.streams.video[0]
        codec = stream.codec_context.name
        if codec not in CODECS:
            raise CameraError(
                f"{redact(self._source)} sends {codec}, which a clip cannot hold; known: {', '.join(CODECS)}"
            )
        return stream

    def _read_stream(self, container: InputContainer, stream: VideoStream) -> None:
        began_s = time.monotonic()
        first: float | None = None
        for packet in container.demux(stream):
            if self._stopping.is_set():
                return
            if not packet.size:
                continue  # the end of a file
            if not self._live and packet.dts is not None and packet.time_base is not None:
                at = float(packet.dts * packet.time_base)
                first = at if first is None else first
                if self._stopping.wait(max(0.0, began_s + at - first - time.monotonic())):
                    return
            self.ring.add(
                bytes(packet), packet.pts, packet.dts, packet.duration, packet.is_keyframe, time.monotonic()
            )


def stream_format(stream: VideoStream) -> StreamFormat:
    """Return the format of a stream, which stays valid when its container is closed."""
    import av

    copy = av.open(io.BytesIO(), "w", format="mp4").add_stream_from_template(stream, opaque=True)
    if stream.time_base is None:
        raise CameraError("a stream without a time base")
    return StreamFormat(copy, stream.time_base)


def packet_source(camera: CameraSettings) -> str:
    """Return the source whose packets are clips of a camera.

    Raises:
        ConfigurationError: it has no encoded packets that can be read beside detection.
    """
    source, key = camera.clip_source or camera.source, "clip_source" if camera.clip_source else "source"
    kind = source_kind(source)
    if kind == "stream":
        return source
    picture = any(source.lower().endswith(suffix) for suffix in PICTURE_SUFFIXES)
    if kind == "path" and camera.pace == "clock" and not picture:
        return source
    what = {
        "device": "a device gives its pictures to one reader",
        "path": "only files that are played by the clock have clips",
    }.get(kind, "it gives pictures without their encoded stream")
    raise ConfigurationError(
        f"clips: camera {camera.name}: {key} {redact(source)}: {what}. Give `clip_source`, an rtsp:// or "
        "http:// stream of the same camera, or leave the camera out of `clips.cameras`"
    )


def _reason(error: Any) -> str:
    """Return why FFmpeg failed, without the URL, which may hold a password."""
    return str(getattr(error, "strerror", None) or type(error).__name__)
