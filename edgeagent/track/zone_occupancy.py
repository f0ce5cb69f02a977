"""Occupancy of one zone: who is inside, since when, and whether it is occupied.

::

    outside --inside for enter_after--> inside --outside for leave_after, or its track ended--> outside
    free ----an object inside for occupied_after--> occupied --none for free_after--> free

The first line is the state of each object, the second that of the zone. An object that is hidden for a while
stays inside until its track ends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from edgeagent.imaging.polygon import Polygon
from edgeagent.settings.sections.zones import ZoneSettings
from edgeagent.track.anchors import anchor_points
from edgeagent.track.object_filter import ObjectFilter
from edgeagent.track.tracked_frame import TrackedFrame

CLOCK_S = 1e-6
"""Tolerance of comparisons of times, whose sums round."""


@dataclass(frozen=True)
class ZoneChange:
    """Object that entered or left a zone, or loiters in it.

    Attributes:
        zone: its name.
        object_id: identity of the object.
        label: of the object.
        what: what happened.
        dwell_s: seconds from the first to the last frame that showed it inside.
    """

    zone: str
    object_id: int
    label: str
    what: Literal["enter", "leave", "loiter"]
    dwell_s: float = 0.0


@dataclass
class _Visit:
    """Presence of one object in the zone.

    Attributes:
        label: of the object.
        began_s: time of the first frame that showed it inside.
        seen_s: time of the last frame that showed it inside.
        outside_s: time of the first frame since then that showed it outside; None without one.
        entered: whether it has been inside long enough.
        loiters: whether that was told.
    """

    label: str
    began_s: float
    seen_s: float
    outside_s: float | None = None
    entered: bool = False
    loiters: bool = False


class ZoneOccupancy:
    """Objects of one zone.

    Args:
        settings: of the zone.

    Attributes:
        settings: as given.
        occupied: whether the zone is occupied; None before the first frame.
    """

    def __init__(self, settings: ZoneSettings) -> None:
        self.settings = settings
        self._polygon, self._filter = Polygon(settings.polygon), ObjectFilter(settings.objects)
        self._visits: dict[int, _Visit] = {}
        self.occupied: bool | None = None
        self._changing_since: float | None = None

    def update(self, frame: TrackedFrame) -> list[ZoneChange]:
        """Observe a frame; return what changed, in the order of the tracks."""
        tracks, time_s, names = frame.tracks, frame.time_s, frame.tracks.names()
        changes = []
        inside = self._polygon.contains(anchor_points(frame, self.settings.anchor))
        counts = inside & self._filter.accepts(frame)
        for row, (identity, counted) in enumerate(zip(tracks.ids.tolist(), counts.tolist(), strict=True)):
            if counted:
                changes += self._seen(identity, names[row], time_s)
            elif identity in self._visits:
                changes += self._seen_outside(identity, time_s)
        for identity in tracks.ended:
            changes += self._left(identity)
        self._observe(time_s)
        return changes

    def clear(self) -> list[ZoneChange]:
        """Let all objects leave, as the camera shows nothing any more; the zone is free."""
        changes = [change for identity in list(self._visits) for change in self._left(identity)]
        self.occupied, self._changing_since = False, None
        return changes

    def count(self) -> dict[str, int]:
        """Return the number of objects inside by label."""
        return dict(Counter(visit.label for visit in self._visits.values() if visit.entered))

    def inside(self) -> list[int]:
        """Return the identities of the objects inside."""
        return [identity for identity, visit in self._visits.items() if visit.entered]

    def unknown_labels(self, labels: tuple[str, ...]) -> list[str]:
        """Return the labels of the settings that a model does not have."""
        return self._filter.unknown(labels)

    def _seen(self, identity: int, label: str, time_s: float) -> list[ZoneChange]:
        visit = self._visits.setdefault(identity, _Visit(label, time_s, time_s))
        visit.label, visit.seen_s, visit.outside_s = label, time_s, None
        if not visit.entered and _lasted(visit.began_s, time_s, self.settings.enter_after):
            visit.entered = True
            return [self._change(identity, visit, "enter")]
        after = self.settings.loiter_after
        if (
            visit.entered
            and not visit.loiters
            and after is not None
            and _lasted(visit.began_s, time_s, after)
        ):
            visit.loiters = True
            return [self._change(identity, visit, "loiter")]
        return []

    def _seen_outside(self, identity: int, time_s: float) -> list[ZoneChange]:
        visit = self._visits[identity]
        if visit.outside_s is None:
            visit.outside_s = time_s
        if visit.entered and not _lasted(visit.outside_s, time_s, self.settings.leave_after):
            return []
        return self._left(identity)

    def _left(self, identity: int) -> list[ZoneChange]:
        visit = self._visits.pop(identity, None)
        return [self._change(identity, visit, "leave")] if visit is not None and visit.entered else []

    def _change(self, identity: int, visit: _Visit, what: Literal["enter", "leave", "loiter"]) -> ZoneChange:
        dwell_s = visit.seen_s - visit.began_s
        return ZoneChange(self.settings.name, identity, visit.label, what, dwell_s)

    def _observe(self, time_s: float) -> None:
        """Change between occupied and free, once the new state has lasted."""
        now = any(visit.entered for visit in self._visits.values())
        if self.occupied is None:
            self.occupied = False
        if now is self.occupied:
            self._changing_since = None
            return
        if self._changing_since is None:
            self._changing_since = time_s
        if _lasted(
            self._changing_since, time_s, self.settings.occupied_after if now else self.settings.free_after
        ):
            self.occupied, self._changing_since = now, None


def _lasted(since_s: float, now_s: float, least_s: float) -> bool:
    return now_s - since_s >= least_s - CLOCK_S
