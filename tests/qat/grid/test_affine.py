"""Which tensors share a grid, and which grids are fixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, constant_grid, plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.models import SIZE, GraphBuilder


def test_scores_do_not_put_features_on_their_grid(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("LeakyRelu", g.conv("images", (3, 8), 3, 4), alpha=0.1)
    scores = g.node("Sigmoid", g.conv(x, (8, 8)))
    joined = g.node("Concat", x, scores, axis=1)
    path = g.save(tmp_path / "m.onnx", {g.conv(joined, (16, 2)): (1, 2, SIZE // 4, SIZE // 4)})
    plan = plan_affine_grids(read_graph(path), PIXELS)
    assert plan.of[joined] == plan.of[x]
    assert plan.grids[plan.of[joined]].fixed is None
    assert plan.grids[plan.of[scores]].fixed == (1 / 256, 0)


@pytest.mark.parametrize(
    ("operator", "fixed"), [("Tanh", (1 / 128, 128)), ("Sigmoid", (1 / 256, 0)), ("Softmax", (1 / 256, 0))]
)
def test_prescribed_grids_are_fixed(operator: str, fixed: tuple[float, int], tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node(operator, g.conv("images", (3, 8), 3, 4))
    path = g.save(tmp_path / "m.onnx", {g.conv(x, (8, 2)): (1, 2, SIZE // 4, SIZE // 4)})
    plan = plan_affine_grids(read_graph(path), PIXELS)
    assert plan.grids[plan.of[x]].fixed == fixed


@pytest.mark.parametrize("values", [[3.0], [-0.5], [0.1, 7.0], [-2.0, 5.0]])
def test_constants_lie_on_the_finest_grid_that_holds_them(values: list[float]) -> None:
    scale, zero_point = constant_grid(np.array(values, np.float32))
    codes = np.round(np.array(values) / scale) + zero_point
    assert codes.min() == 0 or min(values) > 0
    assert codes.max() == 255 or max(values) < 0
    np.testing.assert_allclose((codes - zero_point) * scale, values, atol=scale / 2)


def test_constant_operands_are_rounded_when_quantizing_only(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.conv("images", (3, 4))
    offset = g.constant(np.linspace(-1, 0.913, SIZE * SIZE).reshape(1, 1, SIZE, SIZE), np.float32)
    path = g.save(tmp_path / "m.onnx", {g.conv(g.node("Add", x, offset), (4, 2)): (1, 2, SIZE, SIZE)})
    graph = read_graph(path)
    network = Network(graph, plan_affine_grids(graph, PIXELS))
    operand = next(m for m in network.body.modules() if type(m).__name__ == "ConstantOperand")
    network.set_mode("float")
    assert torch.equal(operand(), torch.from_numpy(graph.constants[offset]))
    network.set_mode("quantize")
    difference = (operand() - torch.from_numpy(graph.constants[offset])).abs().max()
    scale, _ = constant_grid(graph.constants[offset])
    assert 0 < difference <= scale


def test_a_silu_with_a_clamp_behind_it_is_three_operators(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("Relu", g.silu(g.conv("images", (3, 4))))
    graph = read_graph(g.save(tmp_path / "m.onnx", {g.conv(x, (4, 2)): (1, 2, SIZE, SIZE)}))
    network = Network(graph, plan_affine_grids(graph, PIXELS))
    assert not network.plan.silu
    assert x in network.plan.of
    assert network(torch.zeros(1, 3, SIZE, SIZE))[0].shape == (1, 2, SIZE, SIZE)
