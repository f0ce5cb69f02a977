"""Hard frames: pictures that teach the model most, kept on the disk for labelling, with what it found.

::

    low_confidence  a score between `low` and `high`; of a classifier, the best score below `high`, or the
                    second at least `low` (of two classes, the best is never below 0.5)
    disagreement    the reference model found something else
    drift           the scene of the camera has drifted: a frame every `drift_every`
    feedback        a judgement says that the frame was wrong
        -> `every` seconds at most, for each camera and reason -> copy -> queue
    thread: privacy regions hidden, JPEG and JSON written below the folder, within its bounds

Nothing is kept without the section ``hard_frames``. The frame path copies a frame and never waits: while the
thread is busy, frames are left out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

import cv2
import numpy as np

from edgeagent.errors import EdgeagentError
from edgeagent.events.hard_frame_notes import NAMES, NamedBox, SeenFrame, hard_frame_notes
from edgeagent.events.recent_pictures import RecentPicture, RecentPictures
from edgeagent.events.retained_files import Bounds, RetainedFiles
from edgeagent.imaging.polygon import Point
from edgeagent.imaging.privacy import hide_regions
from edgeagent.settings.sections.hard_frames import HardFrameReason, HardFrameSettings
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

IDLE_S, BUSY_S = 600.0, 0.1
WAITING = 4
"""Most frames that wait to be encoded."""

PrivateCorners = Mapping[str, tuple[tuple[Point, ...], ...]]
_Work = Callable[[], None]


class HardFrames:
    """Keeper of hard frames.

    Args:
        settings: of hard frames.
        folder: of the files.
        private: privacy regions of each camera, as corners in shares of the picture.
        on_kept: called in the thread of this object with the path of each picture that was kept.
    """

    def __init__(
        self,
        settings: HardFrameSettings,
        folder: Path,
        private: PrivateCorners,
        on_kept: Callable[[Path], None] = lambda path: None,
    ) -> None:
        self._settings, self._private, self._on_kept = settings, private, on_kept
        bounds = Bounds(settings.keep_age, settings.keep_size, settings.keep_free)
        self._files = RetainedFiles(folder, NAMES, bounds)
        self._limits: dict[tuple[str, HardFrameReason], RateLimit] = {}
        self._drifted: frozenset[str] = frozenset()
        self._recent = RecentPictures(settings.feedback_frames)
        self._last: tuple[str, tuple[HardFrameReason, ...]] = ("", ())
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, "hard frames")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop the thread after what waits."""
        self._work.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def idle(self, timeout_s: float) -> bool:
        """Wait until what waits now is written; return whether it is."""
        done = threading.Event()
        self._work.put(done.set)
        return done.wait(timeout_s)

    def hide(self, private: PrivateCorners) -> None:
        """Hide other privacy regions from now on, also in frames that wait or are remembered."""
        self._private = private

    def drift(self, camera: str, drifted: bool) -> None:
        """Note that the scene of a camera has drifted, or no longer has."""
        self._drifted = self._drifted - {camera} | ({camera} if drifted else set())

    def frame(self, seen: SeenFrame, now_ns: int) -> None:
        """Copy a frame that is hard; never waits.

        Args:
            seen: its image is valid during the call; detections down to the lowest score of the pipeline.
            now_ns: monotonic time in ns.
        """
        reasons: list[HardFrameReason] = []
        if self._unsure(seen.found):
            reasons.append("low_confidence")
        if seen.camera in self._drifted:
            reasons.append("drift")
        self._keep(seen, reasons, now_ns)

    def _unsure(self, found: Detections) -> bool:
        low, high, of_picture = self._settings.low, self._settings.high, found.classification
        if of_picture is None:
            return bool(((found.scores >= low) & (found.scores < high)).any())
        best = of_picture.top(2)
        return best[0][1] < high or (len(best) > 1 and best[1][1] >= low)

    def disagreed(self, seen: SeenFrame, share: float, now_ns: int) -> None:
        """Copy a frame in which the reference model found something else; never waits.

        Args:
            seen: as for :meth:`frame`.
            share: of the boxes that both models found, 0..1.
            now_ns: monotonic time in ns.
        """
        if share < self._settings.disagreement:
            self._keep(seen, ["disagreement"], now_ns)

    def published(self, seen: SeenFrame, sequence: int) -> None:
        """Remember the picture of detections that are published, in case they are judged; never waits."""
        settings = self._settings
        if "feedback" in settings.reasons and settings.feedback_frames and settings.wants(seen.camera):
            copy = seen.copied()
            self._do(lambda: self._remember(copy, sequence))

    def judged_wrong(self, camera: str, sequence: int, right: Sequence[NamedBox] | None) -> None:
        """Keep a remembered picture whose detections are wrong; from any thread.

        Args:
            camera: its name.
            sequence: number of the frame.
            right: all objects that are there, in pixels; None where nobody says.
        """
        self._work.put(lambda: self._write_judged(camera, sequence, right))

    def _keep(self, seen: SeenFrame, reasons: Sequence[HardFrameReason], now_ns: int) -> None:
        settings = self._settings
        wanted = [one for one in reasons if one in settings.reasons] if settings.wants(seen.camera) else []
        if not wanted or not self._waiting.acquire(blocking=False):
            return
        due = tuple(one for one in wanted if self._limit(seen.camera, one).allows(now_ns))
        if not due:
            self._waiting.release()
            return
        copy = seen.copied()
        self._work.put(lambda: self._released(lambda: self._write_seen(copy, due)))

    def _limit(self, camera: str, reason: HardFrameReason) -> RateLimit:
        every = self._settings.drift_every if reason == "drift" else self._settings.every
        return self._limits.setdefault((camera, reason), RateLimit(1 / every))

    def _do(self, work: _Work) -> None:
        """Have something done by the thread, unless it is busy."""
        if self._waiting.acquire(blocking=False):
            self._work.put(lambda: self._released(work))

    def _released(self, work: _Work) -> None:
        try:
            work()
        finally:
            self._waiting.release()

    # The thread

    def _run(self) -> None:
        wait_s = 0.0
        while True:
            try:
                work = self._work.get(timeout=wait_s)
            except Empty:
                wait_s = BUSY_S if self._files.remove_old() else IDLE_S
                continue
            if work is None:
                return
            work()

    def _encoded(self, seen: SeenFrame) -> RecentPicture | None:
        """Return a frame as JPEG, without what is private now."""
        private = self._private.get(seen.camera, ())
        hide_regions(seen.image, private)
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._settings.quality]
        done, jpeg = cv2.imencode(".jpg", seen.image, quality)
        return RecentPicture(seen.bare(), jpeg.tobytes(), private) if done else None

    def _hidden_anew(self, picture: RecentPicture) -> RecentPicture | None:
        """Return a remembered picture without what has become private since."""
        if picture.hidden == self._private.get(picture.seen.camera, ()):
            return picture
        image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
        return None if image is None else self._encoded(replace(picture.seen, image=image.astype(np.uint8)))

    def _write_seen(self, seen: SeenFrame, reasons: tuple[HardFrameReason, ...]) -> None:
        picture = self._encoded(seen)
        if picture is not None:
            self._write(picture, reasons, None)

    def _remember(self, seen: SeenFrame, sequence: int) -> None:
        picture = self._encoded(seen)
        if picture is not None:
            self._recent.add(seen.camera, sequence, picture)

    def _write_judged(self, camera: str, sequence: int, right: Sequence[NamedBox] | None) -> None:
        remembered = self._recent.take(camera, sequence)
        picture = None if remembered is None else self._hidden_anew(remembered)
        if picture is not None:
            self._write(picture, ("feedback",), right)

    def _write(
        self, picture: RecentPicture, reasons: tuple[HardFrameReason, ...], right: Sequence[NamedBox] | None
    ) -> None:
        seen = picture.seen
        name = f"{seen.camera}/{seen.utc_s:.6f}"
        before = self._last[1] if self._last[0] == name else ()  # one frame can be hard for several reasons
        self._last = name, tuple(dict.fromkeys((*before, *reasons)))
        try:
            notes = hard_frame_notes(seen, self._settings.low, self._last[1], right)
            self._files.write(f"{name}.json", notes)
            self._on_kept(self._files.write(f"{name}.jpg", picture.jpeg))
        except EdgeagentError as error:
            if self._repeats.allows(type(error).__name__, time.monotonic()):
                logger.error("hard frames: %s", error)
