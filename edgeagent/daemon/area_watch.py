"""Classes of the pixels of pictures and zones, where a segmenter serves: telemetry, and events at a change.

::

    frame -> shares of the classes, of the picture and of each zone -> take, once a telemetry interval
          -> class that covers most of a zone, debounced            -> on_change, when it changes

A zone is covered by the class of most pixels of those that have ``model.score_threshold`` of them or more,
and by the background only where no other class has. Durations are those of presence
(``objects.appear_after``, ``objects.disappear_after``).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np

from edgeagent.daemon.part import AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.events.picture_class import ClassChange, PictureClass
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.telemetry.contract.picture_class import AreaReport, ZoneAreaReport
from edgeagent.vision.class_map import BACKGROUND
from edgeagent.vision.classification import Classification

OnAreaChange = Callable[[str, str, ClassChange], None]
"""Called with the names of a camera and of its zone, and the change of the class that covers it."""


class _SharesOfInterval:
    """Sums of shares over the frames of an interval."""

    def __init__(self) -> None:
        self.frames, self._sums = 0, Counter[str]()

    def add(self, shares: dict[str, float]) -> None:
        self.frames += 1
        for label, share in shares.items():
            self._sums[label] += share  # type: ignore[assignment]

    def means(self) -> dict[str, float]:
        return {label: round(total / self.frames, 4) for label, total in self._sums.most_common()}


class AreaWatch(AgentPart):
    """Watches the classes of pixels of all cameras; thread-safe. Does nothing while another task serves.

    Args:
        settings: settings of the agent.
        on_change: called with every change of a zone.
    """

    def __init__(self, settings: Settings, on_change: OnAreaChange) -> None:
        self._settings, self._on_change = settings, on_change
        self._covers: dict[tuple[str, str], PictureClass] = {}
        self._shares: dict[tuple[str, str], _SharesOfInterval] = {}
        self._labels: tuple[str, ...] | None = None
        self._lock = threading.RLock()

    def frame(self, result: Result) -> None:
        """Record the classes of the pixels of a frame."""
        found = result.detections.class_map
        with self._lock:
            if result.labels is not self._labels:  # another model: its classes are not those of the last one
                self._labels, self._covers, self._shares = result.labels, {}, {}
            camera = next((one for one in self._settings.cameras if one.name == result.camera), None)
            if found is None or camera is None:
                return
            self._add(camera.name, "", found.shares())
            for zone in camera.zones:
                shares = found.shares(zone.polygon)
                self._add(camera.name, zone.name, shares)
                self._observe(camera, zone.name, shares, result)

    def follow(self, settings: Settings) -> None:
        """Take other settings; all cameras begin anew."""
        with self._lock:
            self._settings, self._covers, self._shares = settings, {}, {}

    def take(self, camera: str) -> AreaReport | None:
        """Return the mean shares since the last call; None without a frame."""
        with self._lock:
            mine = {zone: one for (name, zone), one in self._shares.items() if name == camera}
            for zone in mine:
                del self._shares[camera, zone]
            picture = mine.pop("", None)
            if picture is None:
                return None
            zones = {
                zone: ZoneAreaReport(label=self._covers[camera, zone].label, shares=one.means())
                for zone, one in mine.items()
            }
            return AreaReport(shares=picture.means(), zones=zones)

    def _add(self, camera: str, zone: str, shares: dict[str, float]) -> None:
        self._shares.setdefault((camera, zone), _SharesOfInterval()).add(shares)

    def _observe(self, camera: CameraSettings, zone: str, shares: dict[str, float], result: Result) -> None:
        if not shares:
            return
        wanted, key = self._settings.objects, (camera.name, zone)
        if key not in self._covers:
            least = self._settings.model.score_threshold
            self._covers[key] = PictureClass(wanted.appear_after, wanted.disappear_after, least)
        covering = _covering(shares, self._settings.model.score_threshold)
        covered = Classification(
            np.array([covering.get(label, 0.0) for label in result.labels], np.float32), result.labels
        )
        frame = result.frame
        change = self._covers[key].observe(covered, frame.captured_ns / 1e9, frame.captured_utc)
        if change is not None:
            self._on_change(camera.name, zone, change)


def _covering(shares: dict[str, float], least: float) -> dict[str, float]:
    """Return the shares that count: without the background, where another one has the least share."""
    others = {label: share for label, share in shares.items() if label != BACKGROUND}
    most = max(others.values(), default=0.0)
    return others if most > 0 and most >= least else shares
