"""Writing the annotated clip."""

from __future__ import annotations

from pathlib import Path

import cv2

from edgeagent.camera.frame import Image
from edgeagent.errors import EdgeagentError


class ClipWriter:
    """Writes frames as an MP4 clip and makes sure that they are in the file.

    Args:
        path: of the clip; an existing one is replaced.
        fps: frames per second.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self._fps = path, fps
        self._writer: cv2.VideoWriter | None = None
        self.frames = 0

    def write(self, image: Image) -> None:
        """Append a BGR frame (h, w, 3) uint8; all have the size of the first."""
        if self._writer is None:
            height, width = image.shape[:2]
            codec = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self.path), codec, self._fps, (width, height))
            if not self._writer.isOpened():
                raise EdgeagentError(f"{self.path}: the clip cannot be written; is the folder writable?")
        self._writer.write(image)
        self.frames += 1

    def close(self) -> None:
        """Finish the file.

        Raises:
            EdgeagentError: not all frames are in it, as after a full disk, of which OpenCV says nothing.
        """
        if self._writer is None:
            return
        self._writer.release()
        clip = cv2.VideoCapture(str(self.path))
        stored = int(clip.get(cv2.CAP_PROP_FRAME_COUNT)) if clip.isOpened() else 0
        clip.release()
        if stored != self.frames:
            raise EdgeagentError(
                f"{self.path}: only {max(stored, 0)} of {self.frames} frames were written; is the disk full?"
            )
