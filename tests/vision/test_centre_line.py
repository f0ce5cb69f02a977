"""Centre line of a class: where it lies, where it leads, and when there is none."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from edgeagent.errors import DataError
from edgeagent.vision.centre_line import CentreLine, row_centres
from edgeagent.vision.class_map import ClassMap

ROWS, COLUMNS = 60, 100
SIZE = (300, 1000)
"""Pixels are twice as wide as they are high in cells: 10 by 5."""


def strip(
    centre: float, slope: float, width: float = 0.3, first: int = 0, last: int = ROWS
) -> npt.NDArray[np.bool_]:
    """Return the cells of a strip: its centre at the lower edge, and how far right it is at the upper one."""
    down, across = (np.arange(ROWS) + 0.5) / ROWS, (np.arange(COLUMNS) + 0.5) / COLUMNS
    middle = centre + slope * (1 - down)
    cells = np.abs(across[None, :] - middle[:, None]) < width / 2
    cells[:first] = cells[last:] = False
    return cells


def line(cells: npt.NDArray[np.bool_], row: float, band: float = 0.1) -> CentreLine | None:
    found = ClassMap(cells.astype(np.uint16), SIZE, ("background", "lane"))
    return found.centre_line("lane", row, band)


@pytest.mark.parametrize("slope", [-0.4, 0.0, 0.25])
@pytest.mark.parametrize("row", [0.35, 0.7])
def test_position_and_direction_are_those_of_the_strip(slope: float, row: float) -> None:
    found = line(strip(0.55, slope), row, 0.2)
    assert found is not None
    assert found.offset == pytest.approx(0.05 + slope * (1 - row), abs=0.006)
    assert found.heading == pytest.approx(math.degrees(math.atan2(slope * 1000, 300)), abs=2.5)


def test_an_object_on_the_lane_and_cells_elsewhere_do_not_move_it() -> None:
    cells = strip(0.5, 0, 0.4)
    whole = line(cells, 0.7)
    cells[38:46, 46:54] = False
    cells[40:44, 97:] = True
    found = line(cells, 0.7)
    assert whole is not None
    assert found is not None
    assert abs(found.offset - whole.offset) < 0.02


def test_there_is_no_line_where_the_class_is_not_seen() -> None:
    assert line(strip(0.5, 0, last=30), 0.7) is None
    assert line(strip(0.5, 0, width=0.01), 0.7) is None
    assert line(strip(0.5, 0, first=44), 0.7) is None  # one of six rows of the band
    assert line(strip(0.5, 0, first=41), 0.7) is not None


def test_one_row_is_a_line_that_leads_straight_up() -> None:
    found = line(strip(0.3, 0, 0.2), 0.5, 0)
    assert found is not None
    assert found.offset == pytest.approx(-0.2, abs=0.006)
    assert found.heading == 0


def test_the_centre_of_a_row_is_the_middle_of_its_cells() -> None:
    cells = np.zeros((3, 8), bool)
    cells[0, [1, 2, 3]] = True
    cells[1, [2, 3]] = True
    found = row_centres(cells)
    assert found[:2].tolist() == [2.5 / 8, 3 / 8]
    assert np.isnan(found[2])


def test_a_class_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match="class 'road': the model has background, lane"):
        ClassMap(strip(0.5, 0).astype(np.uint16), SIZE, ("background", "lane")).centre_line("road", 0.5)


def test_every_row_of_a_lane_has_a_line() -> None:
    """Also on the edge of two rows of cells, where the distance to both is rounded."""
    for rows in (1, 6, 9, 10, 104):
        cells = np.ones((rows, 20), bool)
        for row in (*(np.arange(rows + 1) / rows), 0.7):
            found = line(cells, float(row), 0)
            assert found is not None, (rows, row)
            assert str(found.heading) == "0.0"


@pytest.mark.parametrize("shape", [(0, 0), (0, 8), (8, 0)])
def test_a_map_without_cells_has_no_line(shape: tuple[int, int]) -> None:
    assert line(np.zeros(shape, bool), 0.5) is None
