"""Snapshots: the best picture of each reported object, as JPEG on the disk.

::

    frame: an object has its best picture so far -> copy of the frame, one for all its objects -> queue
    thread: privacy regions hidden, box drawn, JPEG kept in memory
    event of the object -> its JPEG is written below the folder, within its bounds

The frame path copies a frame at most every :data:`EVERY_S` seconds and camera, except for the first picture
of an object, and never waits: when the thread has too much to do, a picture is left out.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import cv2
import numpy as np

from edgeagent.errors import EdgeagentError
from edgeagent.events.object_life import Box, ObjectEvent, ObjectLife
from edgeagent.events.retained_files import Bounds, RetainedFiles
from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.snapshots import SnapshotSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw

logger = logging.getLogger(__name__)

NAMES = re.compile(r"\d+\.\d{6}-\d+\.jpg")
"""Names of pictures: the id of an object."""
EVERY_S = 0.5
"""Shortest time between two copies of frames of a camera."""
IDLE_S, BUSY_S = 600.0, 0.1
"""Seconds without a job after which old pictures are removed; the second while more are to be removed."""
WAITING = 4
"""Most frames that wait to be encoded."""
STOP_S, WAITING_SHARE = 1.0, 0.7
"""Longest stop, and its share in which what waits is still stored."""

OnSnapshot = Callable[[ObjectEvent, bytes], None]
"""Called with an event of an object, and its JPEG."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """Object in a frame that is to be encoded."""

    id: str
    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class _Job:
    """Frame with objects, or the event of an object."""

    camera: str
    image: Image | None = None
    shown: tuple[_Shown, ...] = ()
    event: ObjectEvent | None = None


class Snapshots:
    """Stores the best pictures of objects.

    Args:
        settings: of snapshots.
        folder: of the pictures.
        private: privacy regions of each camera, as corners in shares of the picture.
        on_snapshot: called with each picture that is written, in the thread.
    """

    def __init__(
        self,
        settings: SnapshotSettings,
        folder: Path,
        private: Mapping[str, tuple[tuple[Point, ...], ...]],
        on_snapshot: OnSnapshot = lambda event, jpeg: None,
    ) -> None:
        self._settings, self._private, self._on_snapshot = settings, private, on_snapshot
        bounds = Bounds(settings.keep_age, settings.keep_size, settings.keep_free)
        self._files = RetainedFiles(folder, NAMES, bounds)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._frames = threading.BoundedSemaphore(WAITING)
        self._stopping = False
        self._copied: set[str] = set()
        self._written: set[str] = set()
        self._pictures: dict[str, bytes] = {}
        self._copied_s: dict[str, float] = {}
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, "snapshots")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop the thread after what waits; what takes longer is dropped."""
        if self._thread.ident is None:
            return
        self._jobs.put(None)
        self._thread.join(timeout_s * WAITING_SHARE)
        self._stopping = (
            True  # between two pictures: a thread inside OpenCV would abort the end of the program
        )
        self._thread.join(timeout_s * (1 - WAITING_SHARE))

    def hide(self, private: Mapping[str, tuple[tuple[Point, ...], ...]]) -> None:
        """Hide other privacy regions from now on, also in pictures that wait."""
        self._private = private

    def name(self, event: ObjectEvent) -> str | None:
        """Return the name of the stored picture of an object; None where none has been written yet."""
        return f"{event.camera}/{event.id}.jpg" if event.id in self._written else None

    def frame(self, camera: str, image: Image, time_s: float, lives: list[ObjectLife]) -> None:
        """Copy a frame that is the best picture of an object; never waits.

        Args:
            camera: its name.
            image: (h, w, 3) uint8, BGR, valid during the call.
            time_s: time of the camera in seconds, monotonic.
            lives: objects of the camera that the frame shows.
        """
        wanted = [life for life in lives if life.reported and self._wanted(life.now.label)]
        better = [life for life in wanted if life.is_better_now or life.id not in self._copied]
        first = any(life.id not in self._copied for life in better)
        early = time_s - self._copied_s.get(camera, float("-inf")) < EVERY_S
        if not better or (early and not first) or not self._frames.acquire(blocking=False):
            return
        self._copied_s[camera] = time_s
        self._copied.update(life.id for life in better)
        shown = tuple(_Shown(one.id, one.now.label, one.now.score, one.now.box) for one in better)
        self._jobs.put(_Job(camera, image.copy(), shown))

    def event(self, event: ObjectEvent) -> None:
        """Write the picture of an object that is reported; never waits."""
        if event.what == "end":
            self._copied.discard(event.id)
        if event.what != "update" or event.reason == "picture":
            self._jobs.put(_Job(event.camera, event=event))

    def _wanted(self, label: str) -> bool:
        return not self._settings.labels or label in self._settings.labels

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
            if job.image is not None:
                self._frames.release()
                self._encode(job.camera, job.image, job.shown)
            if job.event is not None:
                self._write(job.event)

    def _encode(self, camera: str, image: Image, shown: tuple[_Shown, ...]) -> None:
        hide_regions(image, self._private.get(camera, ()))
        longest = max(image.shape[:2])
        if longest > self._settings.longest_side:
            share = self._settings.longest_side / longest
            size = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        for one in shown:
            if self._stopping:
                return
            drawn = image.copy() if self._settings.boxes else image
            if self._settings.boxes:
                _draw(drawn, one)
            done, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality])
            if done:
                self._pictures[one.id] = jpeg.tobytes()

    def _write(self, event: ObjectEvent) -> None:
        jpeg = self._pictures.get(event.id)
        if event.what == "end":
            self._pictures.pop(event.id, None)
        if jpeg is None:
            return
        try:
            self._files.write(f"{event.camera}/{event.id}.jpg", jpeg)
        except EdgeagentError as error:
            if self._repeats.allows(type(error).__name__, time.monotonic()):
                logger.error("snapshots: %s", error)
            return
        finally:
            if event.what == "end":
                self._written.discard(event.id)
        if event.what != "end":
            self._written.add(event.id)
        self._on_snapshot(event, jpeg)


def _draw(image: Image, shown: _Shown) -> None:
    height, width = image.shape[:2]
    box = np.array([shown.box], np.float32) * np.array([width, height] * 2, np.float32)
    one = Detections(box, np.array([shown.score], np.float32), np.zeros(1, np.int32))
    draw(image, one, (shown.label,))
