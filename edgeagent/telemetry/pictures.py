"""Topic ``picture/<camera>``: a frame with its detections drawn, as JPEG, at an interval.

The frame path only copies the frame; drawing and encoding happen in a thread of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Full, Queue

import cv2

from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Image
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.camera import CameraSettings, privacy_regions
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw

logger = logging.getLogger(__name__)

LONGEST_SIDE = 1280
JPEG_QUALITY = 80
STOP_S = 1.0


@dataclass(frozen=True)
class _Picture:
    """Copy of a frame that is to be drawn."""

    camera: str
    image: Image
    detections: Detections
    labels: tuple[str, ...]


class Pictures:
    """Draws and publishes pictures of all cameras.

    Args:
        cameras: the cameras; their privacy regions are hidden.
        every: seconds between two pictures of a camera.
        publish: called with topic and JPEG, in the thread.
    """

    def __init__(
        self, cameras: Sequence[CameraSettings], every: float, publish: Callable[[str, bytes], None]
    ) -> None:
        self._publish = publish
        self._limits = {camera.name: RateLimit(1 / every) for camera in cameras}
        self._private = {camera.name: privacy_regions(camera) for camera in cameras}
        self._waiting: Queue[_Picture | None] = Queue(len(cameras) + 1)
        self._thread = GuardedThread(self._run, "pictures")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the thread after the picture that is being drawn."""
        if self._thread.ident is None:
            return
        try:
            self._waiting.put_nowait(None)
        except Full:
            logger.info("waiting pictures are dropped")
        self._thread.join(timeout_s)

    def offer(self, result: Result, now_ns: int) -> None:
        """Copy a frame if a picture of its camera is due at this monotonic time (ns); never waits."""
        if not self._limits[result.camera].allows(now_ns) or self._waiting.full():
            return
        picture = _Picture(result.camera, result.frame.image.copy(), result.detections, result.labels)
        self._waiting.put_nowait(picture)

    def _run(self) -> None:
        while (picture := self._waiting.get()) is not None:
            hide_regions(picture.image, self._private[picture.camera])
            draw(picture.image, picture.detections, picture.labels)
            self._publish(f"picture/{picture.camera}", encode_jpeg(picture.image))


def encode_jpeg(image: Image) -> bytes:
    """Return a BGR picture (h, w, 3) uint8 as JPEG, scaled down to sides of :data:`LONGEST_SIDE` at most."""
    longest = max(image.shape[:2])
    if longest > LONGEST_SIDE:
        size = [max(1, round(side * LONGEST_SIDE / longest)) for side in image.shape[1::-1]]
        image = cv2.resize(image, (size[0], size[1]), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded")
    return jpeg.tobytes()
