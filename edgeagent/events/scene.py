"""Scene of one camera: from detections to events, zone changes and crossings.

::

    detections -> masks -> tracker -> zones, lines, speed -> life of each object -> SceneReport
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import numpy as np

from edgeagent.detection.motion_gate import MISSING_S
from edgeagent.events.object_life import ObjectEvent, ObjectLife, Sighting
from edgeagent.imaging.frame import Frame
from edgeagent.imaging.polygon import Polygon
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.events import EventSettings
from edgeagent.track.anchors import anchor_points, box_anchors
from edgeagent.track.ground import Ground
from edgeagent.track.line_crossings import Crossing, LineCrossings
from edgeagent.track.object_filter import ObjectFilter
from edgeagent.track.speed import Speed
from edgeagent.track.tracked_frame import TrackedFrame
from edgeagent.track.tracker import Tracker, TrackerOptions
from edgeagent.track.zone_occupancy import ZoneChange, ZoneOccupancy
from edgeagent.vision.detections import Detections


@dataclass(frozen=True, slots=True)
class SceneReport:
    """What a frame changed.

    Attributes:
        frame: frame with its tracks; None at the end of a scene.
        events: of objects that were reported.
        zone_changes: objects that entered or left a zone, or loiter.
        crossings: of lines.
        counts_changed: whether the number of objects in a zone, or its occupancy, changed.
    """

    frame: TrackedFrame | None
    events: tuple[ObjectEvent, ...]
    zone_changes: tuple[ZoneChange, ...]
    crossings: tuple[Crossing, ...]
    counts_changed: bool


class Scene:
    """Objects of one camera.

    Args:
        camera: its settings, with zones, lines, masks and ground plane.
        settings: of events.
        tracker: of this camera.

    Attributes:
        zones: zones, in the order of the settings.
        lines: lines, in the order of the settings.
    """

    def __init__(self, camera: CameraSettings, settings: EventSettings, tracker: Tracker) -> None:
        self._camera, self._settings, self._tracker = camera.name, settings, tracker
        self.zones = [ZoneOccupancy(zone) for zone in camera.zones]
        self.lines = [LineCrossings(line) for line in camera.lines]
        self._look_at(camera)
        self._filter = ObjectFilter(settings.objects)
        self._lives: dict[int, ObjectLife] = {}
        self._counts: object = None
        self._size: tuple[int, int] | None = None
        self._shown = Detections.empty()

    @property
    def recheck_s(self) -> float | None:
        """Seconds after which tracks need a detection; None where they need none."""
        if self._tracker.has_new:
            return 0.0
        return MISSING_S if self._tracker.has_missing else None

    def update(self, frame: Frame, detections: Detections, local: datetime) -> SceneReport:
        """Observe a frame.

        Args:
            frame: processed frame.
            detections: in pixels of the frame, with the names of their classes.
            local: local time of the device.
        """
        height, width = frame.image.shape[:2]
        ended = self._resized((width, height))
        return self._follow(frame, self._unmasked(detections, width, height), local, ended)

    def hold(self, frame: Frame, local: datetime) -> SceneReport:
        """Observe a frame in which nothing moved: it shows the tracks of the frame before where they were.

        Detections that belong to no track are not repeated, so that one mistake of the detector does not
        become an object by standing still. Tracks that are missing go on missing.
        """
        return self._follow(frame, self._shown, local, SceneReport(None, (), (), (), False))

    def _follow(
        self, frame: Frame, detections: Detections, local: datetime, ended: SceneReport
    ) -> SceneReport:
        height, width = frame.image.shape[:2]
        time_s = frame.captured_ns / 1e9
        tracks = self._tracker.update(detections, time_s)
        self._shown = detections.take(tracks.source.astype(np.intp))
        seen = TrackedFrame(tracks, width, height, time_s, local)
        changes = [*ended.zone_changes, *(change for zone in self.zones for change in zone.update(seen))]
        crossings = [crossing for line in self.lines for crossing in line.update(seen)]
        loiterers = {change.object_id for change in changes if change.what == "loiter"}
        events = self._observe(seen, frame.captured_utc, loiterers)
        report = self._report(seen, [*ended.events, *events], changes, crossings)
        return replace(report, counts_changed=True) if ended.counts_changed else report

    def change(self, camera: CameraSettings, settings: EventSettings, options: TrackerOptions) -> SceneReport:
        """Take other settings; tracks and objects go on. Zones and lines that are the same keep their counts.

        Args:
            camera: its settings; the name is the same.
            settings: of events.
            options: of the tracker.

        Returns:
            What objects left with zones that are gone or changed, and that counts may have changed.
        """
        zones = [_same(self.zones, zone) or ZoneOccupancy(zone) for zone in camera.zones]
        gone = [change for zone in self.zones if zone not in zones for change in zone.clear()]
        self.zones = zones
        self.lines = [_same(self.lines, line) or LineCrossings(line) for line in camera.lines]
        self._look_at(camera)
        self._settings, self._filter = settings, ObjectFilter(settings.objects)
        for life in self._lives.values():
            life.settings = settings
        self._tracker.change(options)
        return replace(self._report(None, [], gone, []), counts_changed=True)

    def state(self) -> SceneReport:
        """Return the present state as a report, for whoever knows nothing of it."""
        return SceneReport(None, (), (), (), True)

    def end(self) -> SceneReport:
        """End all objects, as the camera is lost or the agent stops."""
        events = [event for one in list(self._lives) if (event := self._end(one)) is not None]
        changes = [change for zone in self.zones for change in zone.clear()]
        for line in self.lines:
            line.clear()
        self._tracker.reset()
        self._shown = self._shown.take(slice(0))
        return self._report(None, events, changes, [])

    def live(self) -> list[ObjectLife]:
        """Return the objects that were reported and have not ended."""
        return [life for life in self._lives.values() if life.reported]

    def life(self, track: int) -> ObjectLife | None:
        """Return the life of a track; None where it has none."""
        return self._lives.get(track)

    def unknown_labels(self, labels: tuple[str, ...]) -> list[str]:
        """Return the labels of zones, lines and events that a model does not have."""
        found = self._filter.unknown(labels)
        for zone in self.zones:
            found += zone.unknown_labels(labels)
        for line in self.lines:
            found += line.unknown_labels(labels)
        return sorted(set(found))

    def _look_at(self, camera: CameraSettings) -> None:
        """Take masks and ground plane; speeds are measured anew."""
        self._masks = [Polygon(mask.polygon) for mask in camera.masks]
        self._ground = Ground(camera.ground) if camera.ground is not None else None
        self._speeds: dict[int, Speed] = {}

    def _resized(self, size: tuple[int, int]) -> SceneReport:
        """End all objects when the picture changes its size: tracks are in pixels."""
        before, self._size = self._size, size
        changed = before is not None and before != size
        return self.end() if changed else SceneReport(None, (), (), (), False)

    def _unmasked(self, detections: Detections, width: int, height: int) -> Detections:
        if not self._masks or not len(detections):
            return detections
        feet = box_anchors(detections.boxes, "bottom", width, height)
        masked = np.any([mask.contains(feet) for mask in self._masks], 0)
        return detections.take(~masked)

    def _observe(self, seen: TrackedFrame, utc_s: float, loiterers: set[int]) -> list[ObjectEvent]:
        tracks = seen.tracks
        anchors = anchor_points(seen, "bottom")
        counts = self._filter.accepts(seen)
        shares = tracks.boxes / np.array([seen.width, seen.height] * 2, np.float32)
        positions = self._ground.positions(seen) if self._ground is not None else [None] * len(tracks)
        inside = {zone.settings.name: set(zone.inside()) for zone in self.zones}
        events, names = [], tracks.names()
        for row, identity in enumerate(tracks.ids.tolist()):
            speed, position = None, positions[row]
            if position is not None:
                speed = self._speeds.setdefault(identity, Speed()).add(seen.time_s, *position)
            x1, y1, x2, y2 = shares[row].tolist()
            x, y = anchors[row].tolist()
            sighting = Sighting(
                time_s=seen.time_s,
                utc_s=utc_s,
                label=names[row],
                score=float(tracks.scores[row]),
                box=(x1, y1, x2, y2),
                anchor=(x, y),
                zones=tuple(name for name, members in inside.items() if identity in members),
                speed=speed,
                position=position,
            )
            life = self._lives.get(identity)
            if life is None:
                life = self._lives[identity] = ObjectLife(self._settings, self._camera, identity, sighting)
            event = life.see(sighting, bool(counts[row]), identity in loiterers)
            if event is not None:
                events.append(event)
        return events + [event for one in tracks.ended if (event := self._end(one)) is not None]

    def _end(self, identity: int) -> ObjectEvent | None:
        self._speeds.pop(identity, None)
        life = self._lives.pop(identity, None)
        return life.end() if life is not None else None

    def _report(
        self,
        seen: TrackedFrame | None,
        events: list[ObjectEvent],
        changes: list[ZoneChange],
        crossings: list[Crossing],
    ) -> SceneReport:
        counts = [(zone.occupied, zone.count()) for zone in self.zones]
        changed, self._counts = counts != self._counts, counts
        return SceneReport(seen, tuple(events), tuple(changes), tuple(crossings), changed or bool(crossings))


_Counted = TypeVar("_Counted", ZoneOccupancy, LineCrossings)


def _same(present: Sequence[_Counted], settings: object) -> _Counted | None:
    """Return the zone or line with exactly these settings; None where there is none."""
    return next((one for one in present if one.settings == settings), None)
