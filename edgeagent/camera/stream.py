"""Network cameras (rtsp, rtsps, http and https URLs) as frame sources, through the FFmpeg in OpenCV.

RTSP uses TCP when the camera offers it (FFmpeg's ``prefer_tcp``, set by OpenCV unless
``OPENCV_FFMPEG_CAPTURE_OPTIONS`` is given). FFmpeg analyses a stream for about 1.5 s before the first frame
and then delivers all frames of that time at once; they are skipped.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import cv2

from edgeagent.camera.decoders import DecoderCandidate
from edgeagent.camera.opencv import VideoCaptureSource
from edgeagent.errors import CameraError
from edgeagent.imaging.frame import Image

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_COMPLETE = 0.9
_MAX_DIAGNOSIS_S = 2.0
_MAX_BACKLOG_S = 5.0
_UNKNOWN_FPS = 25.0


class StreamSource(VideoCaptureSource):
    """Network stream; live, unless it is a clip of known length on a web server.

    Args:
        url: may contain a user name and a password.
        open_timeout, read_timeout: seconds after which the camera counts as lost.
        decoder: decoder and the codec that it was chosen for; None decodes by software.
    """

    def __init__(
        self,
        url: str,
        open_timeout: float,
        read_timeout: float,
        decoder: tuple[DecoderCandidate, str] | None = None,
    ) -> None:
        super().__init__(url, read_timeout)
        self._wanted = decoder
        self._url = url
        self._open_timeout = open_timeout
        self._read_timeout: float = read_timeout
        self._frames: float | None = None
        self._read_frames = 0

    @property
    def position(self) -> float | None:
        if self._facts.live:
            return None
        milliseconds = self._get(cv2.CAP_PROP_POS_MSEC)
        return None if milliseconds is None else milliseconds / 1000

    def open(self) -> None:
        self.close()
        parameters = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: round(self._open_timeout * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: round(self._read_timeout * 1000),
            # each additional decoder thread delays output by one frame and leaves stale frames after a loss
            cv2.CAP_PROP_N_THREADS: 1,
        }
        if not self._open_decoder(self._url, parameters, self._wanted):
            raise CameraError(f"{self._name} cannot be opened: {self._open_failure()}")
        rtsp = self._url.lower().startswith("rtsp")
        self._frames = None if rtsp else self._get(cv2.CAP_PROP_FRAME_COUNT)
        self._read_frames = 0
        self._read_facts(live=self._frames is None)
        if self._facts.live:
            self._skip_backlog()

    def read(self, into: Image | None) -> Image | None:
        image = self._next(into)
        if image is not None:
            self._read_frames += 1
            return image
        if self._frames is not None and self._read_frames >= _COMPLETE * self._frames:
            return None
        raise CameraError(f"{self._name} ended the connection")

    def _skip_backlog(self) -> None:
        """Discard the frames that FFmpeg buffered during its analysis, up to the first that blocks."""
        capture = self._opened()
        fps = self._facts.fps or _UNKNOWN_FPS
        for _ in range(round(fps * _MAX_BACKLOG_S)):
            begun = time.monotonic()
            if not capture.grab() or time.monotonic() - begun > 0.25 / fps:
                return

    def _open_failure(self) -> str:
        """Return why opening failed, without any part of the URL."""
        try:
            parts = urlsplit(self._url)
            port = parts.port or DEFAULT_PORTS[parts.scheme.lower()]
            timeout = min(self._open_timeout, _MAX_DIAGNOSIS_S)
            socket.create_connection((parts.hostname, port), timeout).close()
        except ValueError:
            return "the URL is malformed (write the characters @ : / # of a password as %40 %3A %2F %23)"
        except socket.gaierror:
            return "the name of the host cannot be resolved"
        except TimeoutError:
            return "the host does not respond"
        except OSError as error:
            return f"{error.strerror or 'no connection'}"
        return (
            "the host responds but sends no video in time; check the path, the user name and the password "
            "(OPENCV_FFMPEG_LOGLEVEL=16 in the environment shows what FFmpeg says)"
        )
