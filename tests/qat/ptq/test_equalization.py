"""Equalization changes no output, and makes channels alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe
from edgeagent.qat.ptq.equalization import channel_ranges, clips_to_relus, equalize
from tests.qat.models import SIZE, GraphBuilder, small_nanodet, small_relu_net, small_yolox

ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "none": lambda g, x: x,
    "Relu": lambda g, x: g.node("Relu", x),
    "LeakyRelu": lambda g, x: g.node("LeakyRelu", x, alpha=0.1),
}


def pictures(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def network_of(graph: Graph) -> Network:
    return Network(graph, plan_affine_grids(graph, None))


@torch.no_grad()
def heads(graph: Graph) -> list[torch.Tensor]:
    network = network_of(graph)
    network.set_mode("float")
    return list(network(pictures()))


def assert_same(graph: Graph, other: Graph) -> None:
    for before, after in zip(heads(graph), heads(other), strict=True):
        assert float((before - after).abs().max()) <= 1e-4 * max(1.0, float(before.abs().max()))


def shuffled(g: GraphBuilder, x: str, channels: int, cells: int) -> str:
    """A channel shuffle of two groups, as ShuffleNet has it."""
    apart = g.node("Reshape", x, g.constant([1, 2, channels // 2, cells, cells]))
    swapped = g.node("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return g.node("Reshape", swapped, g.constant([1, channels, cells, cells]))


def shuffle_net(path: Path, activation: str = "Relu", seed: int = 0) -> Path:
    """Convolutions, depthwise ones among them, around split, concat, shuffle and pool."""
    g, act = GraphBuilder(seed), ACTIVATIONS[activation]
    x = act(g, g.conv("images", (3, 8), 3, 2))
    x = g.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for _ in range(2):
        left = g.node("Split", x, g.constant([4, 4]), outputs=2, axis=1)
        right = act(g, g.conv(left[:-1] + "1", (4, 4)))
        right = act(g, g.conv(g.conv(right, (4, 4), 3, group=4), (4, 4)))
        x = shuffled(g, g.node("Concat", left, right, axis=1), 8, SIZE // 4)
    head = g.conv(act(g, g.conv(x, (8, 8), 3, 2, group=8)), (8, 4))
    scores = g.node("Sigmoid", g.conv(x, (8, 2)))
    return g.save(path, {head: (1, 4, 8, 8), scores: (1, 2, 16, 16)})


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(activation=st.sampled_from(sorted(ACTIVATIONS)), seed=st.integers(0, 2**16), data_driven=st.booleans())
def test_the_float_output_stays(activation: str, seed: int, data_driven: bool, tmp_path: Path) -> None:
    graph = read_graph(shuffle_net(tmp_path / "m.onnx", activation, seed))
    ranges = channel_ranges(network_of(graph), pictures()) if data_driven else None
    equalized = equalize(graph, ranges)
    assert len(equalized.pairs) == 8  # all but the two heads
    new = equalized.graph.constants
    assert any(not np.array_equal(value, new[name]) for name, value in graph.constants.items())
    assert_same(graph, equalized.graph)


@pytest.mark.parametrize("build", [small_yolox, small_relu_net, small_nanodet])
def test_other_graphs_compute_what_they_did(build: Callable[[Path], Path], tmp_path: Path) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    assert_same(graph, equalize(graph).graph)


def test_channels_become_alike_before_a_depthwise_convolution(tmp_path: Path) -> None:
    g = GraphBuilder(3)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    graph = read_graph(
        g.save(tmp_path / "m.onnx", {g.conv(g.conv(x, (8, 8), 3, group=8), (8, 4)): (1, 4, 32, 32)})
    )
    before = channel_ranges(network_of(graph), pictures())
    after = channel_ranges(network_of(equalize(graph, before).graph), pictures())
    first = graph.nodes[0].name
    alive = before[first] > 0
    assert before[first][alive].max() > 3 * before[first][alive].min()
    assert after[first][alive] == pytest.approx(before[first].max(), rel=1e-4)


def test_nothing_is_equalized_through_silu(tmp_path: Path) -> None:
    g = GraphBuilder(4)
    head = g.conv(g.silu(g.conv("images", (3, 8), 3, 2)), (8, 4))
    graph = read_graph(g.save(tmp_path / "m.onnx", {head: (1, 4, 32, 32)}))
    assert equalize(graph).pairs == ()


def test_a_residual_sum_is_left_alone(tmp_path: Path) -> None:
    g = GraphBuilder(5)
    x = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    inner = g.node("Relu", g.conv(x, (8, 8), 3))
    head = g.conv(g.node("Add", x, g.conv(inner, (8, 8), 3)), (8, 4))
    graph = read_graph(g.save(tmp_path / "m.onnx", {head: (1, 4, 32, 32)}))
    convolutions = [node.name for node in graph.nodes if node.operator == "Conv"]
    assert equalize(graph).pairs == ((convolutions[1], (convolutions[2],)),)


@pytest.mark.parametrize(("bound", "operator"), [(1000.0, "Relu"), (0.5, "Clip")])
def test_a_clip_becomes_a_relu_only_where_its_bound_is_not_reached(
    bound: float, operator: str, tmp_path: Path
) -> None:
    g = GraphBuilder(6)
    limits = (g.constant(0.0, np.float32), g.constant(bound, np.float32))
    x = g.node("Clip", g.conv("images", (3, 8), 3, 2), *limits)
    graph = read_graph(g.save(tmp_path / "m.onnx", {g.conv(x, (8, 4)): (1, 4, 32, 32)}))
    network = network_of(graph)
    replaced = clips_to_relus(network, observe(network, [pictures()]))
    assert [node.operator for node in replaced.nodes] == ["Conv", operator, "Conv"]
    assert_same(graph, replaced)
    assert len(equalize(replaced).pairs) == (operator == "Relu")
