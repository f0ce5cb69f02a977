"""Polygons: what is refused, and which points are inside."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.imaging.polygon import LEAST_AREA, Polygon, area, check_polygon, segments_meet

SQUARE = [(0.2, 0.2), (0.6, 0.2), (0.6, 0.6), (0.2, 0.6)]
ARROW = [(0.1, 0.1), (0.5, 0.5), (0.1, 0.9), (0.9, 0.5)]  # not convex
BOW = [(0.2, 0.2), (0.6, 0.6), (0.6, 0.2), (0.2, 0.6)]


def test_simple_polygons_are_accepted_in_either_direction() -> None:
    for corners in (SQUARE, ARROW, [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]):
        check_polygon(corners)
        check_polygon(corners[::-1])


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (SQUARE[:2], "expected 3 corners or more, got 2"),
        (BOW, "the side to corner 2 crosses the side to corner 4"),
        ([*SQUARE, (0.4, 0.1)], "crosses"),
        ([(0.2, 0.2), (1.2, 0.2), (0.6, 0.6)], r"corner 2 \(1.2, 0.2\) is outside the picture"),
        ([(0.2, 0.2), (float("nan"), 0.2), (0.6, 0.6)], "corner 2 .* is outside the picture"),
        ([(0.2, 0.2), (0.2, 0.2), (0.6, 0.6)], "corners 1 and 2 are equal"),
        ([*SQUARE, SQUARE[0]], "corners 5 and 1 are equal"),
        ([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)], "next to nothing"),
    ],
)
def test_others_are_refused_with_their_corners(corners: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_polygon(corners)


def test_area_is_that_of_the_corners() -> None:
    assert area(SQUARE) == pytest.approx(0.16)
    assert area(SQUARE[::-1]) == pytest.approx(0.16)
    assert area([(0.0, 0.0), (0.01, 0.0), (0.0, 0.01)]) > LEAST_AREA


def test_segments_meet_where_they_cross_or_touch() -> None:
    assert segments_meet((0, 0), (1, 1), (0, 1), (1, 0))
    assert segments_meet((0, 0), (1, 1), (0.5, 0.5), (1, 0))
    assert not segments_meet((0, 0), (1, 1), (0.6, 0.5), (1, 0))
    assert not segments_meet((0, 0), (1, 0), (0, 0.1), (1, 0.1))


def test_points_inside_are_those_of_a_picture_of_the_polygon() -> None:
    size = 200
    rows, columns = np.mgrid[0:size, 0:size]
    points = np.stack([(columns.ravel() + 0.5) / size, (rows.ravel() + 0.5) / size], 1).astype(np.float32)
    for corners in (SQUARE, ARROW):
        inside = Polygon(corners).contains(points)
        assert inside.mean() == pytest.approx(area(corners), abs=1.5 / size)
    assert not Polygon(ARROW).contains(np.array([[0.3, 0.5]], np.float32))[0]  # in its notch
    assert Polygon(ARROW).contains(np.array([[0.7, 0.5]], np.float32))[0]


def test_polygons_side_by_side_share_no_point_and_leave_none_out() -> None:
    left = Polygon([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)])
    right = Polygon([(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)])
    points = np.array([[0.5, 0.25], [0.4999, 0.25], [0.5, 0.0], [0.0, 0.0]], np.float32)
    both = left.contains(points).astype(int) + right.contains(points)
    assert both.tolist() == [1, 1, 1, 1]


def test_no_points_are_no_answer() -> None:
    assert Polygon(SQUARE).contains(np.zeros((0, 2), np.float32)).shape == (0,)
