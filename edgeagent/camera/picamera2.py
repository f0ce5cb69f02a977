"""Raspberry Pi camera (libcamera) as a frame source, through picamera2."""

from __future__ import annotations

from concurrent.futures import TimeoutError as JobTimeoutError
from typing import Any

import numpy as np

from edgeagent.camera.source import SourceFacts
from edgeagent.errors import CameraError
from edgeagent.imaging.frame import Image

_DEFAULT_SIZE = (1280, 720)


class Picamera2Source:
    """Camera on the CSI connector; a :class:`~edgeagent.camera.source.FrameSource`.

    Args:
        number: camera index as listed by ``rpicam-hello --list-cameras``.
        width, height: requested size in pixels; None requests 1280x720. libcamera may select another size.
        fps: requested frame rate; None leaves it to the exposure control.
        read_timeout: seconds without a frame after which the camera counts as lost.
    """

    def __init__(
        self, number: int, width: int | None, height: int | None, fps: float | None, read_timeout: float
    ) -> None:
        self._number = number
        self._size = (width or _DEFAULT_SIZE[0], height or _DEFAULT_SIZE[1])
        self._fps = fps
        self._read_timeout = read_timeout
        self._camera: Any = None

    @property
    def facts(self) -> SourceFacts:
        return SourceFacts(live=True, fps=self._fps, size=self._size)

    @property
    def position(self) -> float | None:
        return None

    @property
    def unreadable(self) -> int:
        return 0

    def open(self) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise CameraError(
                "picamera2 is not installed: sudo apt install python3-picamera2, and make the venv with "
                f"--system-site-packages ({error})"
            ) from error
        self.close()
        try:
            self._camera = Picamera2(self._number)
            # picamera2 names formats after the memory word: "RGB888" has the byte order B, G, R
            configuration = self._camera.create_video_configuration(
                main={"size": self._size, "format": "RGB888"},
                controls={} if self._fps is None else {"FrameRate": self._fps},
            )
            self._camera.configure(configuration)
            self._size = tuple(self._camera.camera_configuration()["main"]["size"])
            self._camera.start()
        except (IndexError, RuntimeError, OSError) as error:
            self.close()
            raise CameraError(
                f"Raspberry Pi camera {self._number} cannot be opened: {error}; "
                "see rpicam-hello --list-cameras"
            ) from error

    def read(self, into: Image | None) -> Image | None:
        from picamera2 import MappedArray

        if self._camera is None:
            raise CameraError(f"Raspberry Pi camera {self._number} is not open")
        try:
            request = self._camera.capture_request(wait=self._read_timeout)
        except (JobTimeoutError, TimeoutError) as error:  # the same class since Python 3.11
            self._camera.cancel_all_and_flush()
            raise CameraError(
                f"Raspberry Pi camera {self._number} sent nothing for {self._read_timeout:g} s; "
                "check its cable"
            ) from error
        except (RuntimeError, OSError) as error:
            raise CameraError(f"Raspberry Pi camera {self._number} is lost: {error}") from error
        try:
            with MappedArray(request, "main", write=False) as mapped:
                fits = into is not None and into.shape == mapped.array.shape
                image = into if into is not None and fits else np.empty(mapped.array.shape, np.uint8)
                np.copyto(image, mapped.array)
                return image
        finally:
            request.release()

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
