"""Life of one object: what is reported of it, and when.

::

    tracked --confirm_after, counts--> new --zones | loiter | picture | moved | still--> update
       |                                |                                                 |
       +--track ends: never reported    +------------------ track ends ------------------>+--> end

Updates that follow from a better picture or from movement are at least ``update_every`` apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from edgeagent.events.object_path import ObjectPath
from edgeagent.imaging.polygon import Point
from edgeagent.settings.sections.events import EventSettings

Box = tuple[float, float, float, float]
EventWhat = Literal["new", "update", "end"]
UpdateReason = Literal["zones", "loiter", "picture", "moved", "still"]

SHOWN_POINTS = 32
"""Points of a path that is only drawn."""
BETTER = 1.1
"""Factor by which score times root of area must grow before a picture counts as better."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Object in one frame.

    Attributes:
        time_s: time of the camera in seconds, monotonic.
        utc_s: time of the frame, seconds since 1970 in UTC.
        label: of the object.
        score: of the detection, 0..1.
        box: ``x1, y1, x2, y2`` in shares of the picture.
        anchor: in shares of the picture.
        zones: names of the zones that it is in.
        speed: metres per second on the ground; None where that is not known.
        position: (x, y) on the ground in metres; None where that is not known.
    """

    time_s: float
    utc_s: float
    label: str
    score: float
    box: Box
    anchor: Point
    zones: tuple[str, ...] = ()
    speed: float | None = None
    position: Point | None = None


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """Event in the life of an object.

    Attributes:
        what: beginning, change or end.
        reason: of an update; None otherwise.
        id: of the object, unique on the device.
        camera: its name.
        track: identity of the track.
        now: newest sighting.
        best: sighting with the best picture.
        began_s, began_utc_s: time of its first sighting, monotonic and UTC.
        entered: zones that it has been in, in the order of its first entry.
        path: (time, anchor) from its first to its newest sighting, at its end; empty where it is not wanted.
        still: whether it stands still.
    """

    what: EventWhat
    reason: UpdateReason | None
    id: str
    camera: str
    track: int
    now: Sighting
    best: Sighting
    began_s: float
    began_utc_s: float
    entered: tuple[str, ...]
    path: tuple[tuple[float, Point], ...]
    still: bool


class ObjectLife:
    """Life of one tracked object.

    Args:
        settings: when it is reported.
        camera: name of the camera.
        track: identity of the track.
        first: first sighting.

    Attributes:
        settings: when it is reported; may be replaced.
        track: identity of the track.
    """

    def __init__(self, settings: EventSettings, camera: str, track: int, first: Sighting) -> None:
        self.settings, self._camera, self.track = settings, camera, track
        self._first = self._now = self._best = first
        self._path = ObjectPath(settings.path_points or SHOWN_POINTS)
        self._entered: dict[str, None] = {}
        self._reported_s: float | None = None
        self._reported_zones: tuple[str, ...] = ()
        self._reported_best = first
        self._rested, self._rested_s, self._still = first.box, first.time_s, False
        self._counted = self._moved = False

    @property
    def reported(self) -> bool:
        """Whether its beginning was reported."""
        return self._reported_s is not None

    @property
    def is_better_now(self) -> bool:
        """Whether the newest sighting has the best picture."""
        return self._best is self._now

    @property
    def now(self) -> Sighting:
        """The newest sighting."""
        return self._now

    @property
    def still(self) -> bool:
        """Whether it stands still."""
        return self._still

    @property
    def id(self) -> str:
        """Identity of the object: UTC seconds of its first sighting, and the number of its track."""
        return f"{self._first.utc_s:.6f}-{self.track}"

    def path(self) -> list[tuple[float, Point]]:
        """Return (time, anchor) from the first to the newest sighting."""
        return self._path.points()

    def see(self, sighting: Sighting, counts: bool, loiters: bool = False) -> ObjectEvent | None:
        """Observe a sighting; return the event to report.

        Args:
            sighting: newest.
            counts: whether the object passes the filter of events in this frame.
            loiters: whether it began to loiter in a zone with this frame.
        """
        self._now = sighting
        self._path.add(sighting.time_s, sighting.anchor)
        self._counted = self._counted or counts
        for zone in sighting.zones:
            self._entered.setdefault(zone)
        if _quality(sighting) >= _quality(self._best):
            self._best = sighting
        self._rest()
        if not self.reported:
            lasted = sighting.time_s - self._first.time_s >= self.settings.confirm_after
            return self._event("new", None) if self._counted and lasted else None
        reason = self._change(loiters)
        return self._event("update", reason) if reason is not None else None

    def end(self) -> ObjectEvent | None:
        """Return the event of its end; None where it was never reported."""
        return self._event("end", None) if self.reported else None

    def _rest(self) -> None:
        """Observe whether the box has left the place where it was last at rest."""
        box, rested = self._now.box, self._rested
        longer = max(rested[2] - rested[0], rested[3] - rested[1], 1e-6)
        farthest = max(abs(one - other) for one, other in zip(box, rested, strict=True))
        if farthest > self.settings.moved * longer:
            self._rested, self._rested_s, self._still, self._moved = box, self._now.time_s, False, True

    def _change(self, loiters: bool) -> UpdateReason | None:
        now_s = self._now.time_s
        if self._now.zones != self._reported_zones:
            return "zones"
        if loiters:
            return "loiter"
        if not self._still and now_s - self._rested_s >= self.settings.still_after:
            self._still = True
            return "still"
        if self._reported_s is None or now_s - self._reported_s < self.settings.update_every:
            return None
        if _quality(self._best) >= BETTER * _quality(self._reported_best):
            return "picture"
        return "moved" if self._moved else None

    def _event(self, what: EventWhat, reason: UpdateReason | None) -> ObjectEvent:
        self._reported_s, self._moved = self._now.time_s, False
        self._reported_zones, self._reported_best = self._now.zones, self._best
        return ObjectEvent(
            what=what,
            reason=reason,
            id=self.id,
            camera=self._camera,
            track=self.track,
            now=self._now,
            best=self._best,
            began_s=self._first.time_s,
            began_utc_s=self._first.utc_s,
            entered=tuple(self._entered),
            path=tuple(self._path.points()) if what == "end" and self.settings.path_points else (),
            still=self._still,
        )


def _quality(sighting: Sighting) -> float:
    """Return how good a picture of the object is: its score times the root of its area."""
    x1, y1, x2, y2 = sighting.box
    return sighting.score * math.sqrt(max(0.0, (x2 - x1) * (y2 - y1)))
