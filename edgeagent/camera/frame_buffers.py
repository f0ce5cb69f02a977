"""Free frame buffers, shared by all cameras of the agent.

Buffers of one shape go to whichever camera needs one next, so that all cameras together have no more than are
in use at once: those of the frames on their way, the pending one of each camera, and those being written. A
source that is awaited (:class:`edgeagent.camera.source.AwaitedSource`) takes one once its frame has come.
A frame of 1920 x 1080 takes 6.2 MB.
"""

from __future__ import annotations

import threading
from collections import Counter

from edgeagent.imaging.frame import Image

Shape = tuple[int, ...]


class FrameBuffers:
    """Free buffers by shape; thread-safe. Buffers of a shape that no camera has any more are freed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[Shape, list[Image]] = {}
        self._cameras: Counter[Shape] = Counter()

    def change(self, before: Shape | None, now: Shape | None) -> None:
        """Record that a camera has frames of another shape; None before its first and after its last one."""
        with self._lock:
            if before is not None:
                self._cameras[before] -= 1
                if not self._cameras[before]:
                    self._free.pop(before, None)
            if now is not None:
                self._cameras[now] += 1

    def take(self, shape: Shape) -> Image | None:
        """Return a free buffer of a shape; None where there is none."""
        with self._lock:
            free = self._free.get(shape)
            return free.pop() if free else None

    def give(self, image: Image) -> None:
        """Return a buffer that nobody uses any more."""
        with self._lock:
            if self._cameras[image.shape]:
                self._free.setdefault(image.shape, []).append(image)
