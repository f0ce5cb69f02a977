"""Classes of the cameras' pictures, where a classifier serves: telemetry, and events at a change.

::

    frame -> debounced label             -> on_change, when it changes
          -> shares of labels, by frames -> take, once a telemetry interval

Durations and threshold are those of presence (``objects.appear_after``, ``objects.disappear_after``) and of
detections (``model.score_threshold``).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

from edgeagent.bundle.task import OBJECT_TASKS, Task
from edgeagent.daemon.part import AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.events.picture_class import ClassChange, PictureClass
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.picture_class import ClassReport
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

MOST_SHARES = 5
"""Labels with a share in telemetry at most: those of most frames."""

OnClassChange = Callable[[str, ClassChange], None]
"""Called with the name of a camera and the change of its class."""


class _Watched:
    """One camera in the interval."""

    def __init__(self, settings: Settings) -> None:
        wanted = settings.objects
        self.debounced = PictureClass(
            wanted.appear_after, wanted.disappear_after, settings.model.score_threshold
        )
        self.frames: Counter[str] = Counter()
        self.newest: tuple[str, float] | None = None


class ClassWatch(AgentPart):
    """Watches the classes of all cameras; thread-safe. Does nothing while a model of another task serves.

    Args:
        settings: settings of the agent.
        on_change: called with every change.
    """

    def __init__(self, settings: Settings, on_change: OnClassChange) -> None:
        self._settings, self._on_change = settings, on_change
        self._cameras: dict[str, _Watched] = {}
        self._labels: tuple[str, ...] | None = None
        self._lock = threading.RLock()

    def frame(self, result: Result) -> None:
        """Record the class of a frame."""
        found = result.detections.classification
        with self._lock:
            if result.labels is not self._labels:  # another model: its classes are not those of the last one
                self._labels, self._cameras = result.labels, {}
                _log_unused(result.detector.description.task, self._settings)
            if found is None:
                return
            camera = self._cameras.setdefault(result.camera, _Watched(self._settings))
            camera.frames[found.label] += 1
            camera.newest = found.label, found.score
            frame = result.frame
            change = camera.debounced.observe(found, frame.captured_ns / 1e9, frame.captured_utc)
            if change is not None:
                self._on_change(result.camera, change)

    def follow(self, settings: Settings) -> None:
        """Take other settings; where durations or the threshold differ, all cameras begin anew."""
        with self._lock:
            before, self._settings = self._settings, settings
            names = {camera.name for camera in settings.cameras}
            kept = {name: one for name, one in self._cameras.items() if name in names}
            same = (before.objects, before.model.score_threshold) == (
                settings.objects,
                settings.model.score_threshold,
            )
            self._cameras = kept if same else {}

    def take(self, camera: str) -> ClassReport | None:
        """Return the class of a camera and the shares since the last call; None without a frame."""
        with self._lock:
            watched = self._cameras.get(camera)
            if watched is None or watched.newest is None:
                return None
            frames, watched.frames = watched.frames, Counter()
            newest, watched.newest = watched.newest, None
            known = watched.debounced
            total = sum(frames.values())
            return ClassReport(
                label=known.label,
                since=None if known.since_utc_s is None else utc_time(known.since_utc_s),
                newest=newest[0],
                score=round(newest[1], 3),
                shares={label: round(n / total, 3) for label, n in frames.most_common(MOST_SHARES)},
            )


def _log_unused(task: Task, settings: Settings) -> None:
    """Log which settings have no effect with a model that finds no objects."""
    if task in OBJECT_TASKS:
        return
    unused = [
        name
        for name, given in (
            ("zones", task == "classification" and any(camera.zones for camera in settings.cameras)),
            ("lines", any(camera.lines for camera in settings.cameras)),
            ("regions", any(camera.regions for camera in settings.cameras)),
            ("snapshots", settings.snapshots is not None),
            ("clips", settings.clips is not None),
            *((f"{reason} of hard_frames", True) for reason in _unused_reasons(task, settings)),
        )
        if given
    ]
    if unused:
        logger.warning(
            "a model for %s serves, which finds no objects: %s of the configuration have no effect "
            "(docs/tasks.md)",
            task,
            ", ".join(unused),
        )


def _unused_reasons(task: Task, settings: Settings) -> tuple[str, ...]:
    """Return the reasons of hard frames that need detections, or the score of a class."""
    if settings.hard_frames is None:
        return ()
    needed = ("feedback",) if task == "classification" else ("low_confidence", "feedback")
    return tuple(reason for reason in needed if reason in settings.hard_frames.reasons)
