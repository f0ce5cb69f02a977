"""Path of an object with a bounded number of points."""

from __future__ import annotations

from edgeagent.imaging.polygon import Point


class ObjectPath:
    """Path of the anchor of an object, in shares of the picture.

    When it is full, every second point between the first and the last is dropped, and from then on only every
    second new point is taken: the points stay evenly spread over the life of the object.

    Args:
        most: most points; at least two are kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._every, self._skipped = max(2, most), 1, 0
        self._points: list[tuple[float, Point]] = []
        self._last: tuple[float, Point] | None = None

    def add(self, time_s: float, point: Point) -> None:
        """Add a point."""
        self._last = time_s, point
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self._points.append(self._last)
        if len(self._points) >= self._most:
            self._points = self._points[::2]
            self._every *= 2

    def points(self) -> list[tuple[float, Point]]:
        """Return (time, point) from the first to the newest one."""
        if self._last is None or (self._points and self._points[-1] == self._last):
            return list(self._points)
        return [*self._points, self._last]
