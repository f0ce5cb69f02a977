"""Hard frames: pictures in which the model is unsure, kept on the disk for labelling, with what it found.

::

    frame with a score between `low` and `high`, `every` seconds at most -> copy -> queue
    thread: privacy regions hidden, JPEG and JSON written below the folder, within its bounds

Nothing is kept without the section ``hard_frames``. The frame path copies a frame and never waits: while the
thread is busy, frames are left out.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import cv2

from edgeagent.errors import EdgeagentError
from edgeagent.events.retained_files import Bounds, RetainedFiles
from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

NAMES = re.compile(r"\d+\.\d{6}\.(?:jpg|json)")
"""Names of pictures and of what was found in them: seconds since 1970."""
IDLE_S, BUSY_S = 600.0, 0.1
WAITING = 2
"""Most frames that wait to be encoded."""
DIGITS = 5  # of shares of the picture

PrivateCorners = Mapping[str, tuple[tuple[Point, ...], ...]]


@dataclass(frozen=True, slots=True)
class _Job:
    """Copy of a frame that is kept."""

    camera: str
    utc_s: float
    image: Image
    found: Detections


class HardFrames:
    """Keeper of hard frames.

    Args:
        settings: of hard frames.
        folder: of the files.
        private: privacy regions of each camera, as corners in shares of the picture.
    """

    def __init__(self, settings: HardFrameSettings, folder: Path, private: PrivateCorners) -> None:
        self._settings, self._private = settings, private
        bounds = Bounds(settings.keep_age, settings.keep_size, settings.keep_free)
        self._files = RetainedFiles(folder, NAMES, bounds)
        self._limits: dict[str, RateLimit] = {}
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, "hard frames")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop the thread after what waits."""
        self._jobs.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def hide(self, private: PrivateCorners) -> None:
        """Hide other privacy regions from now on, also in frames that wait."""
        self._private = private

    def frame(self, camera: str, image: Image, utc_s: float, found: Detections, now_ns: int) -> None:
        """Copy a frame that is hard; never waits.

        Args:
            camera: its name.
            image: (h, w, 3) uint8, BGR, valid during the call.
            utc_s: time of the frame, seconds since 1970.
            found: detections down to the lowest score that the pipeline gives, in pixels.
            now_ns: monotonic time in ns.
        """
        settings = self._settings
        unsure = (found.scores >= settings.low) & (found.scores < settings.high)
        if not unsure.any() or not settings.wants(camera):
            return
        limit = self._limits.setdefault(camera, RateLimit(1 / settings.every))
        if not self._waiting.acquire(blocking=False):
            return
        if not limit.allows(now_ns):
            self._waiting.release()
            return
        self._jobs.put(_Job(camera, utc_s, image.copy(), found))

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                job = self._jobs.get(timeout=wait_s)
            except Empty:
                wait_s = BUSY_S if self._files.remove_old() else IDLE_S
                continue
            if job is None:
                return
            try:
                self._write(job)
            finally:
                self._waiting.release()

    def _write(self, job: _Job) -> None:
        hide_regions(job.image, self._private.get(job.camera, ()))
        done, jpeg = cv2.imencode(".jpg", job.image, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
        if not done:
            return
        name = f"{job.camera}/{job.utc_s:.6f}"
        about = json.dumps(
            describe_hard_frame(job.camera, job.utc_s, job.image, job.found, self._settings.low)
        )
        try:
            self._files.write(f"{name}.json", about.encode())
            self._files.write(f"{name}.jpg", jpeg.tobytes())
        except EdgeagentError as error:
            if self._repeats.allows(type(error).__name__, time.monotonic()):
                logger.error("hard frames: %s", error)


def describe_hard_frame(
    camera: str, utc_s: float, image: Image, found: Detections, low: float
) -> dict[str, Any]:
    """Return what is kept with a picture: camera, time, size, and the objects with ``low`` or more.

    The box of an object is x1, y1, x2, y2 in shares of the picture.
    """
    height, width = image.shape[:2]
    objects = [
        {
            "label": one.label,
            "score": round(one.score, 3),
            "box": [
                round(min(1.0, max(0.0, value / size)), DIGITS)
                for value, size in zip(one.box, (width, height) * 2, strict=True)
            ],
        }
        for one in found
        if one.score >= low
    ]
    return {"camera": camera, "time": utc_s, "width": width, "height": height, "objects": objects}
