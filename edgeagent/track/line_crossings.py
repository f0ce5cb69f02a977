"""Crossings of one line, by direction.

An object has crossed when its anchor has been on one side, is now beyond the line by the margin on the other,
and its way cut the line between its ends. The side is only taken where the anchor is beyond the margin, so
that one who stands on the line does not count again and again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from edgeagent.imaging.polygon import Point, segments_meet
from edgeagent.settings.sections.zones import LineSettings
from edgeagent.track.anchors import anchor_points
from edgeagent.track.object_filter import ObjectFilter
from edgeagent.track.tracked_frame import TrackedFrame

Direction = Literal["in", "out"]


@dataclass(frozen=True)
class Crossing:
    """Object that crossed a line.

    Attributes:
        line: its name.
        object_id: identity of the object.
        label: of the object.
        direction: see :class:`edgeagent.settings.sections.zones.LineSettings`.
    """

    line: str
    object_id: int
    label: str
    direction: Direction


class LineCrossings:
    """Counter of the objects that cross a line.

    Args:
        settings: of the line.

    Attributes:
        settings: as given.
        totals: number of crossings by (label, direction) since the start.
    """

    def __init__(self, settings: LineSettings) -> None:
        self.settings = settings
        self._filter = ObjectFilter(settings.objects)
        self._last: dict[int, tuple[int, Point]] = {}  # side and anchor, where it was last beyond the margin
        self.totals: Counter[tuple[str, Direction]] = Counter()

    def update(self, frame: TrackedFrame) -> list[Crossing]:
        """Observe a frame; return the crossings."""
        tracks, names = frame.tracks, frame.tracks.names()
        for identity in tracks.ended:
            self._last.pop(identity, None)
        found = []
        counts = self._filter.accepts(frame)
        anchors = anchor_points(frame, self.settings.anchor)
        for row in counts.nonzero()[0].tolist():
            x, y = anchors[row].tolist()
            identity, label = int(tracks.ids[row]), names[row]
            direction = self._step(identity, (x, y), frame.width / frame.height)
            if direction is not None:
                self.totals[label, direction] += 1
                found.append(Crossing(self.settings.name, identity, label, direction))
        return found

    def clear(self) -> None:
        """Forget where all objects were; the totals stay."""
        self._last.clear()

    def unknown_labels(self, labels: tuple[str, ...]) -> list[str]:
        """Return the labels of the settings that a model does not have."""
        return self._filter.unknown(labels)

    def _step(self, identity: int, point: Point, aspect: float) -> Direction | None:
        begin, end = self.settings.begin, self.settings.end
        distance = _distance(begin, end, point, aspect)
        if abs(distance) <= self.settings.margin:
            return None
        side = 1 if distance > 0 else -1
        before = self._last.get(identity)
        self._last[identity] = side, point
        if before is None or before[0] == side or not segments_meet(before[1], point, begin, end):
            return None
        return "in" if side < 0 else "out"


def _distance(begin: Point, end: Point, point: Point, aspect: float) -> float:
    """Return the distance from the line in heights of the picture; positive on its right side.

    Args:
        begin, end, point: in shares of the picture.
        aspect: width of the picture over its height.
    """
    along, up = (end[0] - begin[0]) * aspect, end[1] - begin[1]
    x, y = (point[0] - begin[0]) * aspect, point[1] - begin[1]
    length = float((along**2 + up**2) ** 0.5)
    return (along * y - up * x) / length
