"""Raw heads as rows of cells, and their quantized codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeagent.bundle.manifest import OutputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.vision.heads import HeadTensor, cell_grid, find_scales, logit, sigmoid
from tests.vision.raw_heads import SIZE, STRIDES, random_heads


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_cells_come_row_by_row_whatever_the_layout(layout: str) -> None:
    heads = random_heads({"box": 4, "objectness": 1, "classes": 3}, layout, False, 0)
    scales = find_scales(heads.tensors, heads.roles, SIZE)
    assert [scale.stride for scale in scales] == list(STRIDES)
    for scale in scales:
        assert set(scale.heads) == {"box", "objectness", "classes"}
        for role, head in scale.heads.items():
            cells = head.cells(heads.outputs)
            assert np.shares_memory(cells, heads.outputs[head.position])
            assert cells.shape[0] == len(scale.grid)
            for (column, row), cell in zip(scale.grid.astype(int).tolist(), cells, strict=True):
                channels = range(cells.shape[1])
                assert cell.tolist() == [heads.read(scale.stride, role, k, row, column) for k in channels]


def test_a_layout_is_told_where_one_output_could_be_either() -> None:
    """A grid of 4 x 4 cells with four channels fits both layouts; the other outputs decide."""
    roles = [OutputSpec(name=r, role=r, stride=8) for r in ("box", "objectness")]
    for last in ((1, 4, 4, 1), (1, 1, 4, 4)):
        tensors = [TensorSpec("t", shape, np.dtype(np.float32)) for shape in ((1, 4, 4, 4), last)]
        (scale,) = find_scales(tensors, roles, (32, 32))
        assert {head.channels_first for head in scale.heads.values()} == {last == (1, 1, 4, 4)}


def test_the_grid_counts_columns_then_rows() -> None:
    assert cell_grid(2, 3).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]
    assert cell_grid(2, 3).dtype == np.float32


@settings(deadline=None)
@given(st.floats(-20, 20), st.floats(0.001, 0.5), st.integers(0, 255))
def test_a_code_is_the_least_that_reaches_a_number(real: float, scale: float, zero_point: int) -> None:
    tensor = TensorSpec("t", (1, 1, 1, 1), np.dtype(np.uint8), scale, zero_point)
    code = HeadTensor(0, tensor, True).code(real)
    assert code == int(code)
    assert (code - zero_point) * scale >= real - 1e-9
    assert (code - 1 - zero_point) * scale < real + 1e-9


@pytest.mark.parametrize("grid", [(0.1, 128), (None, 0)], ids=["codes", "reals"])
def test_thresholds_0_and_1_pass_all_or_none(grid: tuple[float | None, int]) -> None:
    head = HeadTensor(0, TensorSpec("t", (1, 1, 1, 1), np.dtype(np.uint8), *grid), True)
    assert head.code(logit(0.0)) == -math.inf
    assert head.code(logit(1.0)) == math.inf
    assert head.code(logit(0.5)) == grid[1]


@settings(deadline=None)
@given(st.floats(0.0001, 0.9999))
def test_sigmoid_and_logit_undo_each_other(probability: float) -> None:
    assert sigmoid(np.array([logit(probability)], np.float32))[0] == pytest.approx(probability, abs=1e-6)


def test_sigmoid_of_anything() -> None:
    x = np.array([-1e30, -100, -2, 0, 2, 100, 1e30], np.float32)
    with np.errstate(all="raise"):
        y = sigmoid(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, [0, 0, 0.1192029, 0.5, 0.8807971, 1, 1], atol=1e-6)
