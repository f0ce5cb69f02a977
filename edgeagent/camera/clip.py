"""Video file as a frame source, through the FFmpeg in OpenCV.

When the frame size changes within a file (concatenated recordings), OpenCV scales all frames to the size of
the first, so a clip has one frame size. (Before OpenCV 4.13 the picture freezes at the change.)
"""

from __future__ import annotations

import logging
import os
import select
import stat

import cv2

from edgeagent.camera.opencv import VideoCaptureSource
from edgeagent.errors import CameraError
from edgeagent.files.naming import printable
from edgeagent.imaging.frame import Image

log = logging.getLogger(__name__)

_COMPLETE = 0.9
"""Fraction of the announced frames above which a clip counts as complete."""


class ClipSource(VideoCaptureSource):
    """Video file; reading ends after its last frame.

    A damaged frame is left out. A truncated file is played to its last decodable frame, with a warning.

    Args:
        path: path of the file; need not be valid UTF-8. A named pipe is read as it is written.
        timeout: seconds to wait for the writer of a named pipe.
        threads: of the decoder; each holds one frame more (3 MB at 1920 x 1080). 0 takes one a processor.
    """

    failed_reads = 250

    def __init__(self, path: str | os.PathLike[str], timeout: float = 10.0, threads: int = 0) -> None:
        super().__init__(printable(path))
        self._name = printable(path)
        self._timeout, self._threads = timeout, threads
        self._pipe = False
        self._path = path
        self._descriptor: int | None = None
        self._read_frames = 0
        self._warned = False

    @property
    def position(self) -> float | None:
        milliseconds = self._opened().get(cv2.CAP_PROP_POS_MSEC)
        return milliseconds / 1000 if 0.0 <= milliseconds < 1e12 else None

    def open(self) -> None:
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            self._pipe = stat.S_ISFIFO(os.fstat(self._descriptor).st_mode)
            self._read_timeout = self._timeout if self._pipe else None
            if self._pipe and not self._has_data():
                raise CameraError(f"named pipe {self._name}: nobody writes to it for {self._timeout:g} s")
        except CameraError:
            self.close()
            raise
        except OSError as error:
            raise CameraError(f"clip {self._name} cannot be opened: {error.strerror}") from error
        timeout = round(self._timeout * 1000)
        timeouts = {cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: timeout, cv2.CAP_PROP_READ_TIMEOUT_MSEC: timeout}
        parameters = timeouts if self._pipe else {}
        if self._threads:
            parameters[cv2.CAP_PROP_N_THREADS] = self._threads
        if not self._open(self._target(), cv2.CAP_FFMPEG, parameters):
            self.close()
            raise CameraError(
                f"clip {self._name} cannot be played: it is not a video, its codec is missing in this "
                "OpenCV, or its index is missing (truncated file); check it with ffprobe"
            )
        self._read_frames = 0
        self._read_facts(live=False)

    def read(self, into: Image | None) -> Image | None:
        image = self._next(into)
        if image is not None:
            self._read_frames += 1
            return image
        if self._read_frames == 0:
            raise CameraError(f"clip {self._name} holds no frame that can be decoded")
        expected = self._get(cv2.CAP_PROP_FRAME_COUNT)
        if expected is not None and self._read_frames < _COMPLETE * expected and not self._warned:
            self._warned = True
            log.warning(
                "clip %s ends after %d of %d frames: it is truncated or damaged",
                self._name, self._read_frames, expected,
            )  # fmt: skip
        return None

    def _threads_of_decoder(self) -> int:
        return self._threads

    def close(self) -> None:
        super().close()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _has_data(self) -> bool:
        """Wait for the writer of the named pipe; False after the time-out."""
        poll = select.poll()
        poll.register(self._descriptor or 0, select.POLLIN)
        return bool(poll.poll(self._timeout * 1000))

    def _target(self) -> str:
        """Return the name under which OpenCV opens the file.

        The prefix ``file:`` keeps FFmpeg from parsing ``a:b.mp4`` as a protocol. A name that is not valid
        UTF-8 crashes OpenCV or is refused, so such a file is opened through its descriptor. A named pipe is
        read through its descriptor, which does not block, so that FFmpeg heeds its time-outs.
        """
        if self._pipe:
            return f"pipe:{self._descriptor}"
        path = os.fspath(self._path)
        try:
            path.encode()
        except UnicodeEncodeError:
            return f"/proc/self/fd/{self._descriptor}"
        return f"file:{path}"
