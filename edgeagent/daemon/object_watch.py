"""Objects that the cameras see: counts for ``telemetry``, the message ``presence`` and its events.

::

    frame -> counts by label -> counts of the interval             -> take, once a telemetry interval
                             -> presence of each label, debounced  -> on_presence, when one changes

A camera without a processed frame in an interval is unknown, not empty: it has no counts, and it leaves the
message ``presence`` until its next frame. That is no event: an object appears or disappears only where the
last known state was another one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgeagent.daemon.debounce import DebouncedLabel, Moment
from edgeagent.daemon.label_counts import LabelCounter
from edgeagent.daemon.object_counts import ObjectCounts
from edgeagent.daemon.part import AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.sensors.board import read_board
from edgeagent.settings.sections.objects import DEFAULT_LABELS, ObjectSettings
from edgeagent.telemetry.contract.objects import ObjectReport
from edgeagent.telemetry.contract.presence import LabelPresence, Presence
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PresenceChange:
    """Label that appeared at a camera, or disappeared.

    Attributes:
        camera: its name.
        label: of the objects.
        present: whether it appeared.
        count: number of objects in the frame.
    """

    camera: str
    label: str
    present: bool
    count: int


OnPresence = Callable[[Presence, list[PresenceChange]], None]


class _Camera:
    """State of one camera."""

    def __init__(self, settings: ObjectSettings) -> None:
        self.counter, self.counts = LabelCounter(settings.labels), ObjectCounts()
        self.labels: dict[str, DebouncedLabel] = {}
        self.known = False


class ObjectWatch(AgentPart):
    """Counts objects and watches their presence; thread-safe.

    Args:
        settings: labels and durations.
        cameras: names of all cameras.
        run: number of this start of the agent, None where it is unknown.
        on_presence: called with the new message ``presence`` and with the labels that appeared or
            disappeared, at a change of either.
    """

    def __init__(
        self,
        settings: ObjectSettings,
        cameras: Iterable[str],
        run: int | None = None,
        on_presence: OnPresence = lambda message, changes: None,
    ) -> None:
        self._settings, self._run, self._on_presence = settings, run, on_presence
        self._cameras = {name: _Camera(settings) for name in cameras}
        self._model: tuple[str, ...] | None = None
        self._boot_id = read_board().boot_id
        self._lock = threading.RLock()

    def start(self) -> None:
        """Publish that nothing is known yet, as the broker may retain a message of an earlier run."""
        with self._lock:
            self._publish([])

    def frame(self, result: Result) -> None:
        """Count the detections of a frame."""
        with self._lock:
            if result.labels is not self._model:
                self._change_model(result.labels)
            camera = self._cameras[result.camera]
            counted = camera.counter.count(result.labels, result.detections.classes)
            camera.counts.add(counted)
            now = Moment(result.frame.captured_ns / 1e9, result.frame.captured_utc)
            if counted.counts:
                self._observe(result.camera, counted.counts, now)

    def follow(self, settings: ObjectSettings, cameras: Iterable[str]) -> None:
        """Take other settings, with which all cameras begin anew, or other cameras."""
        with self._lock:
            present = self._cameras if settings == self._settings else {}
            self._settings = settings
            self._cameras = {name: present.get(name) or _Camera(settings) for name in cameras}
            self._publish([])

    def take(self, camera: str) -> dict[str, ObjectReport] | None:
        """Return the counts of a camera since the last call; None where no frame was processed."""
        with self._lock:
            watched = self._cameras.get(camera)
            found = None if watched is None else watched.counts.take()
            if watched is not None and found is None and watched.known:
                watched.known = False
                self._publish([])
            return found

    def left_out(self, camera: str) -> int | None:
        """Return the number of objects left out since the start; None where labels are configured."""
        with self._lock:
            watched = self._cameras.get(camera)
            return watched.counts.left_out if watched and self._settings.labels is None else None

    def newest(self, camera: str) -> dict[str, int]:
        """Return the counts of the newest frame of the present interval; empty before the first frame."""
        with self._lock:
            watched = self._cameras.get(camera)
            return (watched.counts.newest or {}) if watched else {}

    def _change_model(self, labels: tuple[str, ...]) -> None:
        before, self._model = self._model, labels
        for camera in self._cameras.values():
            camera.counts.restart()
        chosen = self._settings.labels or ()
        if chosen == DEFAULT_LABELS or before == labels:
            return
        for label in chosen:
            if label not in labels:
                logger.warning("objects.labels: the model has no label %r", label)

    def _observe(self, name: str, counts: dict[str, int], now: Moment) -> None:
        camera = self._cameras[name]
        again, camera.known = not camera.known, True
        gone = camera.labels.keys() - counts.keys()
        camera.labels = {label: camera.labels.get(label) or self._debounced() for label in counts}
        changes, new = [], again or bool(gone)
        for label, count in counts.items():
            presence = camera.labels[label]
            before = presence.present
            if presence.observe(count > 0, now):
                new = True
                if presence.present or before:
                    changes.append(PresenceChange(name, label, bool(presence.present), count))
        if new:
            self._publish(changes)

    def _debounced(self) -> DebouncedLabel:
        return DebouncedLabel(self._settings.appear_after, self._settings.disappear_after)

    def _publish(self, changes: list[PresenceChange]) -> None:
        cameras = {
            name: {
                label: LabelPresence(present=presence.present, since=utc_time(presence.since.utc_s))
                for label, presence in camera.labels.items()
                if presence.present is not None and presence.since is not None
            }
            for name, camera in self._cameras.items()
            if camera.known
        }
        message = Presence(time=utc_time(time.time()), boot_id=self._boot_id, run=self._run, cameras=cameras)
        self._on_presence(message, changes)
