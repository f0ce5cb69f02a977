"""Clamps that are redundant on a grid, and those that are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.graph.clamps import is_redundant_clamp
from edgeagent.qat.graph.node import Node
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, GraphBuilder

BOUNDS = {"low": np.float32(0), "high": np.float32(6)}
RELU = Node("r", "Relu", ("x",), ("y",), {})
RELU6 = Node("c", "Clip", ("x", "low", "high"), ("y",), {})
BELOW6 = Node("c", "Clip", ("x", "", "high"), ("y",), {})
CONVOLUTION = Node("c", "Conv", ("x", "w"), ("y",), {})


@pytest.mark.parametrize(
    ("node", "scale", "zero_point", "redundant"),
    [
        (RELU, 0.1, 0, True),
        (RELU, 0.1, 1, False),
        (RELU6, 6 / 255, 0, True),
        (RELU6, 6 / 254.6, 0, True),  # 6 rounds to the last code
        (RELU6, 6 / 254, 0, False),
        (RELU6, 5 / 255, 0, True),
        (BELOW6, 6 / 127, 128, True),
        (CONVOLUTION, 0.1, 0, False),
    ],
)
def test_a_clamp_is_redundant_where_the_grid_ends_first(
    node: Node, scale: float, zero_point: int, redundant: bool
) -> None:
    constants = {name: np.asarray(value) for name, value in BOUNDS.items()}
    assert is_redundant_clamp(node, constants, scale, zero_point) is redundant


def test_a_relu_on_a_grid_with_negative_numbers_runs_on_integers(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("LeakyRelu", g.conv("images", (3, 8), 3, 4), alpha=0.1)
    joined = g.node("Concat", x, g.node("Relu", g.conv(x, (8, 8))), axis=1)
    head = g.conv(joined, (16, 2))
    network = calibrated(g.save(tmp_path / "m.onnx", {head: (1, 2, SIZE // 4, SIZE // 4)}))
    export_onnx(network, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert counts.integer["QLinearConv"] == 3
    assert set(counts.float) == {"DequantizeLinear"}
    written = {node.op_type for node in onnx.load(str(tmp_path / "q.onnx")).graph.node}
    assert "Relu" not in written
