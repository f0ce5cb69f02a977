"""Writer of the annotated clip.

OpenCV crashes on a file name that is not valid UTF-8, and its FFmpeg parses ``a:b/clip.mp4`` as a protocol.
The folder is therefore opened here, and the clip is addressed through its descriptor.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from edgeagent.errors import EdgeagentError
from edgeagent.imaging.frame import Image


class ClipWriter:
    """Writer of an MP4 clip that verifies the number of written frames.

    Args:
        path: path of the clip in an existing folder; an existing file is replaced.
        fps: frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._folder = -1
        self.frames = 0

    def write(self, image: Image) -> None:
        """Append a BGR frame (h, w, 3) uint8, scaled to the size of the first frame.

        Raises:
            EdgeagentError: the file cannot be written.
        """
        if self._writer is None:
            self._size = image.shape[1], image.shape[0]
            self._writer = self._open()
        self._writer.write(image if image.shape[1::-1] == self._size else cv2.resize(image, self._size))
        self.frames += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            EdgeagentError: frames are missing in the file. OpenCV does not report a full disk.
        """
        if self._writer is None:
            return
        self._writer.release()
        clip = cv2.VideoCapture(self._target())
        stored = int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) if clip.isOpened() else 0
        clip.release()
        os.close(self._folder)
        self._writer = None
        if stored != self.frames:
            raise EdgeagentError(
                f"{self.path}: only {max(stored, 0)} of {self.frames} frames were written; is the disk full?"
            )

    def _open(self) -> cv2.VideoWriter:
        try:
            self._folder = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise EdgeagentError(f"{self.path}: the clip cannot be written ({error.strerror})") from error
        writer = cv2.VideoWriter(self._target(), cv2.VideoWriter.fourcc(*"mp4v"), self._fps, self._size)
        if not writer.isOpened():
            os.close(self._folder)
            raise EdgeagentError(
                f"{self.path}: the clip cannot be written with frames of {self._size[0]} x {self._size[1]}; "
                "is the folder writable?"
            )
        return writer

    def _target(self) -> str:
        return f"/proc/self/fd/{self._folder}/{self.path.name}"
