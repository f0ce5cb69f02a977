"""Frame sources on ``cv2.VideoCapture``: their common base, V4L2 devices and GStreamer pipelines.

OpenCV and its FFmpeg print to standard error on every failed attempt, bypassing Python. Both are silenced,
because the capture thread logs each loss once; set ``OPENCV_FFMPEG_LOGLEVEL`` (16 shows errors) or
``OPENCV_LOG_LEVEL`` to see their output.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edgeagent.camera.capture_options import capture_options
from edgeagent.camera.decoder_sample import codec_of
from edgeagent.camera.decoders import SOFTWARE, DecoderCandidate, Opening, opening
from edgeagent.camera.decoding import Decoding
from edgeagent.camera.source import SourceFacts
from edgeagent.errors import CameraError
from edgeagent.files.naming import redact
from edgeagent.imaging.frame import Image

log = logging.getLogger(__name__)

_LOG_LEVEL_ERROR = 2

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
if "OPENCV_LOG_LEVEL" not in os.environ:
    # older releases have the first function, newer ones the second
    _set_log_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    _set_log_level(_LOG_LEVEL_ERROR)

_MAX_FPS = 1000.0
_YUYV_PIXELS = 640 * 480


def open_capture(way: Opening) -> cv2.VideoCapture | None:
    """Open a source; None when OpenCV fails."""
    flat = [number for pair in way.parameters.items() for number in pair]
    try:
        with capture_options(way.options):
            capture = cv2.VideoCapture(way.target, way.backend, flat)
    except cv2.error:
        return None
    if not capture.isOpened():
        capture.release()
        return None
    return capture


class VideoCaptureSource:
    """Base of the :class:`~edgeagent.camera.source.FrameSource` classes on OpenCV; live by default.

    A damaged frame makes one read fail, as the end of a stream does; reading goes on after it. The source
    counts as ended after :attr:`failed_reads` failed reads in a row, or after failed reads for
    ``read_timeout`` seconds.

    Args:
        source: configured source string; printed in redacted form only.
        read_timeout: seconds without a frame after which the source counts as lost; None for a file.

    Attributes:
        failed_reads: failed reads in a row that count as the end.
    """

    failed_reads = 25

    def __init__(self, source: str, read_timeout: float | None = None) -> None:
        self._name = redact(source)
        self._read_timeout = read_timeout
        self._unreadable = 0
        self._read_error: str | None = None
        self._capture: cv2.VideoCapture | None = None
        self._facts = SourceFacts(live=True)
        self._decoder: DecoderCandidate = SOFTWARE
        self._codec = "unknown"
        self._decode_ns = self._decoded = 0
        self._awaited: bool | None = None
        self._waited_s = 0.0

    @property
    def decoding(self) -> Decoding | None:
        """Decoder of the open source; see :class:`~edgeagent.camera.decoding.DecodingSource`."""
        capture = self._capture
        if capture is None:
            return None
        own_threads = self._decoder.way == "gstreamer" or self._threads_of_decoder() != 1
        cpu_ms = None if own_threads or not self._decoded else self._decode_ns / self._decoded / 1e6
        return Decoding(self._codec, self._decoder.name, self._library(), cpu_ms)

    def _threads_of_decoder(self) -> int:
        """Return the threads that decode: with one, it is the thread that reads."""
        return 1

    def _library(self) -> str:
        return "GStreamer" if self._decoder.way == "gstreamer" else "FFmpeg"

    @property
    def facts(self) -> SourceFacts:
        return self._facts

    @property
    def position(self) -> float | None:
        return None

    @property
    def unreadable(self) -> int:
        return self._unreadable

    def open(self) -> None:
        raise NotImplementedError

    def await_frame(self) -> bool:
        """See :class:`~edgeagent.camera.source.AwaitedSource`."""
        if self._awaited is None:
            begun = time.monotonic()
            self._awaited = self._grab()
            self._waited_s = time.monotonic() - begun
        return self._awaited

    def read(self, into: Image | None) -> Image | None:
        image = self._next(into)
        if image is None:
            raise CameraError(f"{self._name} delivers no more frames")
        return image

    def close(self) -> None:
        capture, self._capture = self._capture, None
        self._awaited, self._waited_s = None, 0.0
        if capture is not None:
            capture.release()

    def _open(self, target: str | int, backend: int, parameters: dict[int, int]) -> bool:
        """Open ``target`` with parameters set before opening; False when OpenCV fails."""
        return self._open_with(Opening(target, backend, parameters))  # type: ignore[arg-type]

    def _open_decoder(
        self, target: str, parameters: dict[int, int], wanted: tuple[DecoderCandidate, str] | None
    ) -> bool:
        """Open with a decoder and its codec, or by software where that fails or none is wanted."""
        if wanted is not None:
            candidate, codec = wanted
            way = opening(candidate, target, codec)
            common = {} if candidate.way == "gstreamer" else parameters
            if self._open_with(replace(way, parameters={**common, **way.parameters})):
                self._decoder, self._codec = candidate, codec
                return True
            log.warning("%s: decoder %s does not open it; software decodes it", self._name, candidate.name)
        self._decoder = SOFTWARE
        return self._open(target, cv2.CAP_FFMPEG, parameters)

    def _open_with(self, way: Opening) -> bool:
        """Open as a decoder wants it; False when OpenCV fails."""
        self._capture = open_capture(way)
        if self._capture is None:
            return False
        self._codec, self._decode_ns, self._decoded = codec_of(self._capture), 0, 0
        return True

    def _next(self, into: Image | None) -> Image | None:
        """Return the next frame that can be decoded, as BGR; None at the end of the source.

        Damaged frames before it are counted in :attr:`unreadable`.

        Raises:
            CameraError: nothing came for ``read_timeout`` seconds, or OpenCV refuses what comes.
        """
        begun = time.monotonic() - self._waited_s
        for failed in range(self.failed_reads):
            read_begun, self._waited_s = time.monotonic() - self._waited_s, 0.0
            image = self._read(into)
            now = time.monotonic()
            if self._read_timeout is not None and now - read_begun >= self._read_timeout:
                # the decoder may still deliver an older frame, which does not prove a connection
                raise CameraError(f"{self._name} sent nothing for {self._read_timeout:g} s")
            if image is not None:
                self._leave_out(failed)
                return image
            if self._read_timeout is not None and now - begun >= self._read_timeout:
                break
        if self._read_error is not None:
            raise CameraError(f"{self._name}: OpenCV cannot read it: {self._read_error}")
        return None

    def _leave_out(self, frames: int) -> None:
        """Count damaged frames; the first is logged."""
        if frames and not self._unreadable:
            log.warning("%s: a damaged frame is left out, and further ones are; they are counted", self._name)
        self._unreadable += frames

    def _grab(self) -> bool:
        """Wait for a frame and decode it; False at the end or on failure."""
        self._read_error = None
        begun_ns = time.thread_time_ns()
        try:
            came = self._opened().grab()
        except cv2.error as error:
            self._read_error = redact(error.err)
            return False
        if came:
            self._decode_ns += time.thread_time_ns() - begun_ns
            self._decoded += 1
        return came

    def _read(self, into: Image | None) -> Image | None:
        """Read once; None at the end or on failure, which OpenCV does not distinguish."""
        came = self._grab() if self._awaited is None else self._awaited
        self._awaited = None
        if not came:
            return None
        capture = self._opened()
        try:
            begun_ns = time.thread_time_ns()
            ok, image = capture.retrieve() if into is None else capture.retrieve(into)
            self._decode_ns += time.thread_time_ns() - begun_ns
            if not ok:
                return None
            if image.ndim == 2 or image.shape[2] == 1:
                image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR, into)
            elif image.shape[2] == 4:
                image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR, into)
        except cv2.error as error:
            self._read_error = redact(error.err)
            return None
        return np.asarray(image, np.uint8)

    def _get(self, prop: int) -> float | None:
        """Return a property of the open capture; None for 0 and huge numbers, which mean unknown."""
        value = self._opened().get(prop)
        return value if math.isfinite(value) and 0.0 < value < 1e9 else None

    def _read_facts(self, *, live: bool) -> None:
        """Set the facts from the open capture."""
        fps = self._get(cv2.CAP_PROP_FPS)
        width, height = self._get(cv2.CAP_PROP_FRAME_WIDTH), self._get(cv2.CAP_PROP_FRAME_HEIGHT)
        self._facts = SourceFacts(
            live=live,
            fps=fps if fps is not None and fps <= _MAX_FPS else None,
            size=None if width is None or height is None else (int(width), int(height)),
        )

    def _opened(self) -> cv2.VideoCapture:
        if self._capture is None:
            raise CameraError(f"{self._name} is not open")
        return self._capture


class DeviceSource(VideoCaptureSource):
    """V4L2 camera: ``0``, ``/dev/video0`` or a stable name under ``/dev/v4l/by-id``.

    Args:
        source: number or path of the device.
        width, height, fps: requested format; the camera may select another.
        read_timeout: seconds, rounded up to whole seconds. OpenCV applies one value to the whole process:
            that of the first opened device, unless ``OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT`` is set.
    """

    def __init__(
        self, source: str, width: int | None, height: int | None, fps: float | None, read_timeout: float
    ) -> None:
        super().__init__(source, read_timeout)
        self._path = Path(f"/dev/video{source}" if source.isdecimal() else source)
        self._width, self._height, self._fps = width, height, fps

    def open(self) -> None:
        self.close()
        timeout = math.ceil(self._read_timeout or 0) or 10
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(timeout))
        if not self._open(str(self._path), cv2.CAP_V4L2, {}):
            raise CameraError(f"camera {self._path}: {self._open_failure()}")
        capture = self._opened()
        if (self._width or 0) * (self._height or 0) > _YUYV_PIXELS:
            # USB 2 transfers uncompressed frames of this size at only a few per second
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if self._width is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._width)
        if self._height is not None:
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height)
        if self._fps is not None:
            capture.set(cv2.CAP_PROP_FPS, self._fps)
        self._read_facts(live=True)

    def _library(self) -> str:
        return "V4L2"

    def _open_failure(self) -> str:
        """Return why the device cannot be opened."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_NONBLOCK))
        except FileNotFoundError:
            present = sorted(str(path) for path in Path("/dev").glob("video*"))
            return f"no such device; present: {', '.join(present) or 'none'}"
        except PermissionError:
            return "no permission; add the user of this program to the group video"
        except OSError as error:
            return f"it cannot be opened: {errno.errorcode.get(error.errno or 0, '?')} {error.strerror}"
        return "it is busy, or not a capture device (one camera often has several devices)"


class GStreamerSource(VideoCaptureSource):
    """GStreamer pipeline that ends in ``appsink``; always live, so its end counts as a loss.

    Args:
        pipeline: in the syntax of ``gst-launch-1.0``.
        open_timeout, read_timeout: seconds after which the pipeline counts as lost.
    """

    def __init__(self, pipeline: str, open_timeout: float, read_timeout: float) -> None:
        super().__init__(f"gstreamer:{pipeline}", read_timeout)
        self._pipeline = pipeline
        self._parameters = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: round(open_timeout * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: round(read_timeout * 1000),
        }
        if tuple(int(part) for part in cv2.__version__.split(".")[:2]) < (4, 7):
            self._parameters = {}  # older releases refuse these parameters

    def open(self) -> None:
        self.close()
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise CameraError(
                f"{self._name}: this OpenCV ({cv2.__version__}) is built without GStreamer, as all OpenCV "
                "wheels are; use an OpenCV that has it (Debian and Raspberry Pi OS: sudo apt install "
                "python3-opencv gstreamer1.0-plugins-good, in a venv with --system-site-packages and "
                "without the opencv-python-headless wheel; Jetson: the OpenCV of JetPack)"
            )
        if "appsink" not in self._pipeline:
            raise CameraError(
                f"{self._name}: the pipeline must end in an appsink, such as "
                "'... ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1'"
            )
        if not self._open(self._pipeline, cv2.CAP_GSTREAMER, self._parameters):
            raise CameraError(f"{self._name}: GStreamer cannot play it; try it with gst-launch-1.0")
        self._read_facts(live=True)

    def _threads_of_decoder(self) -> int:
        return 0

    def _library(self) -> str:
        return "GStreamer"
