"""Simple polygons in shares of the picture: checks of the corners, and points inside.

Shares are (x, y), x to the right and y down, 0..1 of width and height. A zone in shares stays valid when a
camera changes its resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

LEAST_CORNERS = 3
LEAST_AREA = 1e-5
"""Smallest area of a polygon as a share of the picture: about 3 x 3 pixels of 1080p."""


def check_polygon(corners: Sequence[Point]) -> None:
    """Check that corners make a simple polygon within the picture.

    Raises:
        ValueError: there are too few corners, one is outside the picture, two sides cross, or the area is
            next to nothing; the message names the corners, counted from 1.
    """
    if len(corners) < LEAST_CORNERS:
        raise ValueError(f"expected {LEAST_CORNERS} corners or more, got {len(corners)}")
    for number, (x, y) in enumerate(corners, start=1):
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(f"corner {number} ({x:g}, {y:g}) is outside the picture; expected shares 0..1")
    for number, corner in enumerate(corners):
        if corner == corners[number - 1]:
            raise ValueError(
                f"corners {number or len(corners)} and {number + 1} are equal; a polygon closes by itself"
            )
    sides = [(corners[number - 1], corner) for number, corner in enumerate(corners)]
    for (first, one), (second, other) in combinations(enumerate(sides), 2):
        neighbours = second - first == 1 or (first == 0 and second == len(sides) - 1)
        if not neighbours and segments_meet(*one, *other):
            raise ValueError(
                f"the side to corner {first + 1} crosses the side to corner {second + 1}; list the corners "
                "in order around the area"
            )
    if area(corners) < LEAST_AREA:
        raise ValueError("the area is next to nothing; the corners lie on a line")


def area(corners: Sequence[Point]) -> float:
    """Return the area of a simple polygon as a share of the picture (shoelace formula)."""
    pairs = [(corners[number - 1], corner) for number, corner in enumerate(corners)]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def segments_meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether the segments a-b and c-d have a point in common."""
    turns = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    return any(
        turn == 0 and _within(point, *segment)
        for turn, point, segment in zip(turns, (c, d, a, b), ((a, b), (a, b), (c, d), (c, d)), strict=True)
    )


class Polygon:
    """Simple polygon, for many points at once.

    Args:
        corners: (x, y) in shares, see :func:`check_polygon`.

    Attributes:
        corners: as given.
    """

    def __init__(self, corners: Sequence[Point]) -> None:
        self.corners = tuple(corners)
        ends = np.array(self.corners, np.float64)
        begins = np.roll(ends, 1, axis=0)
        self._x, self._y, self._other_y = begins[:, 0], begins[:, 1], ends[:, 1]
        height = np.where(ends[:, 1] == begins[:, 1], 1.0, ends[:, 1] - begins[:, 1])
        self._slope = (ends[:, 0] - begins[:, 0]) / height

    def contains(self, points: FloatArray) -> BoolArray:
        """Return which points are inside, by the even-odd rule; (N,) bool for (N, 2) shares.

        A ray to the right crosses an odd number of sides. Of the border, the left and upper part is inside,
        so that polygons side by side share no point.
        """
        x, y = points[:, :1], points[:, 1:]
        beside = (self._y <= y) != (self._other_y <= y)
        crossings = x < self._x + self._slope * (y - self._y)
        inside: BoolArray = (beside & crossings).sum(1) % 2 == 1
        return inside


def _turn(a: Point, b: Point, c: Point) -> int:
    product = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (product > 0) - (product < 0)


def _within(point: Point, begin: Point, end: Point) -> bool:
    return all(min(p, q) <= value <= max(p, q) for value, p, q in zip(point, begin, end, strict=True))
