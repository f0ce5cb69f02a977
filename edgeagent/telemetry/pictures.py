"""The topic ``picture/<camera>``: now and then a frame with its detections, as JPEG.

The frame path only copies a frame, and that rarely; drawing and encoding have a thread of their own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Full, Queue

import cv2

from edgeagent.detection.pipeline import Result
from edgeagent.imaging.frame import Image
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw

logger = logging.getLogger(__name__)

LONGEST_SIDE = 1280
JPEG_QUALITY = 80
STOP_S = 1.0


@dataclass(frozen=True)
class _Order:
    camera: str
    image: Image
    detections: Detections
    labels: tuple[str, ...]


class Pictures:
    """Draws and publishes.

    Args:
        cameras: their names.
        every: seconds between two pictures of a camera.
        publish: called with topic and JPEG, in the thread.
    """

    def __init__(self, cameras: tuple[str, ...], every: float, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._limits = {camera: RateLimit(1 / every) for camera in cameras}
        self._orders: Queue[_Order | None] = Queue(len(cameras) + 1)
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._thread.start()

    def stop(self) -> None:
        """Draw no more."""
        try:
            self._orders.put_nowait(None)
        except Full:
            logger.info("pictures that wait are dropped")
        self._thread.join(STOP_S)

    def offer(self, result: Result, now_ns: int) -> None:
        """Take a copy of a frame if it is time for one (monotonic ns); never waits."""
        if not self._limits[result.camera].allows(now_ns) or self._orders.full():
            return
        order = _Order(result.camera, result.frame.image.copy(), result.detections, result.labels)
        self._orders.put_nowait(order)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            draw(order.image, order.detections, order.labels)
            self._publish(f"picture/{order.camera}", encode_jpeg(order.image))


def encode_jpeg(image: Image) -> bytes:
    """Return a BGR picture (h, w, 3) uint8 as JPEG, no side above :data:`LONGEST_SIDE`."""
    longest = max(image.shape[:2])
    if longest > LONGEST_SIDE:
        size = [max(1, round(side * LONGEST_SIDE / longest)) for side in image.shape[1::-1]]
        image = cv2.resize(image, (size[0], size[1]), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded")
    return jpeg.tobytes()
