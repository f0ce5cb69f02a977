"""Perspective: four points map to four others, and what lies between to what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.imaging.perspective import map_points, solve_perspective

ROAD = [(0.4, 0.5), (0.6, 0.5), (0.9, 0.9), (0.1, 0.9)]
METRES = [(0.0, 30.0), (6.0, 30.0), (6.0, 0.0), (0.0, 0.0)]


def test_the_points_map_to_the_others_and_straight_lines_stay_straight() -> None:
    matrix = solve_perspective(ROAD, METRES)
    assert map_points(matrix, np.array(ROAD)) == pytest.approx(np.array(METRES), abs=1e-9)
    middle = map_points(matrix, np.array([[0.5, 0.5], [0.5, 0.7], [0.5, 0.9]]))
    assert middle[:, 0] == pytest.approx([3.0, 3.0, 3.0])
    assert middle[0, 1] > middle[1, 1] > middle[2, 1]


def test_the_horizon_and_the_sky_are_nowhere() -> None:
    matrix = solve_perspective(ROAD, METRES)
    assert np.isnan(map_points(matrix, np.array([[0.5, 0.1]]))).all()


def test_three_points_on_a_line_fix_no_plane() -> None:
    with pytest.raises(ValueError, match="three of them lie on a line"):
        solve_perspective([(0.1, 0.1), (0.2, 0.2), (0.3, 0.3), (0.1, 0.9)], METRES)
    with pytest.raises(ValueError, match="three of them lie on a line"):
        solve_perspective(ROAD, [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 5.0)])
