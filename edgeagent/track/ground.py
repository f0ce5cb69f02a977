"""Ground plane of a camera: positions of objects in metres."""

from __future__ import annotations

from math import isfinite

from edgeagent.imaging.perspective import map_points, solve_perspective
from edgeagent.imaging.polygon import Point
from edgeagent.settings.sections.zones import GroundSettings
from edgeagent.track.anchors import anchor_points
from edgeagent.track.tracked_frame import TrackedFrame


class Ground:
    """Ground plane.

    Args:
        settings: four points in the picture and in metres.
    """

    def __init__(self, settings: GroundSettings) -> None:
        self._matrix = solve_perspective(settings.picture, settings.metres)
        self._anchor = settings.anchor

    def positions(self, frame: TrackedFrame) -> list[Point | None]:
        """Return the position of each track in metres; None for one at or behind the horizon."""
        metres = map_points(self._matrix, anchor_points(frame, self._anchor))
        return [(x, y) if isfinite(x) and isfinite(y) else None for x, y in metres.tolist()]
