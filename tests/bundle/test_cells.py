import pytest

from edgeagent.bundle.cells import cells_along, stride_of


@pytest.mark.parametrize(
    ("pixels", "stride", "cells"), [(416, 8, 52), (416, 64, 7), (320, 64, 5), (96, 24, 4), (33, 32, 2)]
)
def test_grids_are_rounded_up(pixels: int, stride: int, cells: int) -> None:
    assert cells_along(pixels, stride) == cells


@pytest.mark.parametrize(
    ("pixels", "cells", "stride"),
    [(416, 52, 8), (416, 13, 32), (416, 7, 64), (320, 5, 64), (640, 20, 32), (64, 1, 64), (96, 4, 24)],
)
def test_stride_of_a_grid_is_a_power_of_two_where_one_is_possible(
    pixels: int, cells: int, stride: int
) -> None:
    assert stride_of(pixels, cells) == stride
    assert cells_along(pixels, stride) == cells
