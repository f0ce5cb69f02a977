"""Perspective between two planes: a homography from four pairs of points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from edgeagent.imaging.polygon import Point

DoubleArray = npt.NDArray[np.float64]
LEAST_TRIANGLE = 1e-6
"""Smallest area of a triangle of three of the points, as a share of the square of their spread."""


def solve_perspective(points: Sequence[Point], others: Sequence[Point]) -> DoubleArray:
    """Return the (3, 3) matrix that maps four points of one plane to four of the other.

    With the last element 1, each pair gives two of eight linear equations (Hartley and Zisserman, Multiple
    View Geometry, 4.1). The sign is then such that the points are in front of the horizon.

    Raises:
        ValueError: three of the points lie on a line.
    """
    for corners in (points, others):
        if any(_is_flat(three, corners) for three in combinations(corners, 3)):
            raise ValueError("the four points do not fix a plane: three of them lie on a line")
    rows, values = [], []
    for (x, y), (u, v) in zip(points, others, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = np.linalg.solve(np.array(rows, np.float64), np.array(values, np.float64))
    matrix = np.append(solved, 1.0).reshape(3, 3)
    x, y = points[0]
    return matrix if matrix[2] @ (x, y, 1.0) > 0 else -matrix


def map_points(matrix: DoubleArray, points: npt.NDArray[np.floating]) -> DoubleArray:
    """Return (N, 2) points mapped by a matrix; NaN for those at and behind the horizon."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    depth = mapped[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(depth > 0, mapped[:, :2] / depth, np.nan)


def _is_flat(three: Sequence[Point], among: Sequence[Point]) -> bool:
    """Return whether three points lie on a line, or next to it for the spread of all."""
    (ax, ay), (bx, by), (cx, cy) = three
    spread = float(np.ptp(np.array(among), axis=0).max())
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) <= 2 * LEAST_TRIANGLE * spread**2
