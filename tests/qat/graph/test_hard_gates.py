"""Gates of HardSwish and HardSigmoid as clamped convolutions: the same numbers, on integers, equalized."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.export.tflite_export import count_tflite_operators, export_tflite
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.hard_gates import gates_as_convolutions, hard_swish_gates
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.grid.affine import UNIT, plan_affine_grids
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.equalization import channel_ranges, equalize
from tests.data import shared
from tests.qat.export.test_tflite_export import steps_off
from tests.qat.models import SIZE, GraphBuilder, small_yolox
from tests.qat.ptq.test_equalization import assert_same, network_of, pictures

FORMS = ("operator", "written out", "scaled first")
HARD_SWISHES = 3


def hard_swish(g: GraphBuilder, x: str, form: str) -> str:
    """HardSwish as an operator, as x * clip(x + 3) / 6, and as x * (clip(x + 3) / 6)."""
    if form == "operator":
        return g.node("HardSwish", x)
    three, zero, six = (g.constant(value, np.float32) for value in (3, 0, 6))
    clipped = g.node("Clip", g.node("Add", x, three), zero, six)
    if form == "written out":
        return g.node("Div", g.node("Mul", x, clipped), six)
    return g.node("Mul", x, g.node("Div", clipped, six))


def small_picodet(path: Path, form: str = "operator") -> Path:
    """Depthwise 5 x 5, HardSwish, squeeze-and-excitation, two heads; pictures of 0..255."""
    g = GraphBuilder(2)
    picture = g.node("Mul", "images", g.constant(1 / 255, np.float32))
    x = hard_swish(g, g.conv(picture, (3, 8), 3, 4), form)
    x = hard_swish(g, g.conv(x, (8, 8), 5, 2, group=8), form)
    gate = g.conv(g.node("Relu", g.conv(g.node("GlobalAveragePool", x), (8, 4))), (4, 8))
    x = g.node("Mul", x, g.node("HardSigmoid", gate, alpha=1 / 6))
    x = hard_swish(g, g.conv(x, (8, 16)), form)
    side = SIZE // 8
    outputs: dict[str, tuple[int, ...]] = {g.conv(x, (16, 32)): (1, 32, side, side)}
    outputs[g.node("Sigmoid", g.conv(x, (16, 3)))] = (1, 3, side, side)
    return g.save(path, outputs, opset=14)


def codes(count: int = 4) -> torch.Tensor:
    return (pictures(count) * 255).round()


@pytest.mark.parametrize("form", FORMS)
def test_the_outputs_are_the_same(tmp_path: Path, form: str) -> None:
    graph = read_graph(small_picodet(tmp_path / "m.onnx", form))
    changed = gates_as_convolutions(graph)
    operators = Counter(node.operator for node in changed.nodes)
    assert (operators["Add"], operators["Div"]) == (0, 0)
    assert len(hard_swish_gates(changed)) == HARD_SWISHES
    assert_same(graph, changed)


def test_a_graph_without_hard_gates_is_unchanged(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    assert gates_as_convolutions(graph) is graph


def test_a_clip_that_is_no_gate_stays(tmp_path: Path) -> None:
    g = GraphBuilder()
    bounds = (g.constant(0, np.float32), g.constant(5, np.float32))
    x = g.node("Clip", g.node("Add", g.conv("images", (3, 8)), g.constant(3, np.float32)), *bounds)
    x = g.node("Mul", x, g.constant(1 / 6, np.float32))
    graph = read_graph(g.save(tmp_path / "m.onnx", {g.conv(x, (8, 4)): (1, 4, SIZE, SIZE)}))
    assert gates_as_convolutions(graph) is graph


def test_a_large_value_passes_its_gate_unchanged(tmp_path: Path) -> None:
    graph = read_trainable_graph(small_picodet(tmp_path / "m.onnx"))
    plan = plan_affine_grids(graph, None)
    for gate in hard_swish_gates(graph):
        scale, zero_point = UNIT
        assert plan.grids[plan.of[gate]].fixed == UNIT
        assert (255 - zero_point) * scale == 1


@pytest.mark.parametrize("form", FORMS)
def test_channels_are_equalized_through_hard_swish(tmp_path: Path, form: str) -> None:
    graph = read_trainable_graph(small_picodet(tmp_path / "m.onnx", form))
    result = equalize(graph, channel_ranges(network_of(graph), pictures()))
    assert len(result.pairs) >= HARD_SWISHES
    assert_same(graph, result.graph)


@pytest.mark.parametrize("form", FORMS)
def test_gates_run_on_integers_as_trained(tmp_path: Path, form: str) -> None:
    graph = read_trainable_graph(small_picodet(tmp_path / "m.onnx", form))
    network = Network(graph, plan_affine_grids(graph, (1.0, 0)))
    set_ranges(network, observe(network, [codes()]), "minmax")
    network.set_mode("quantize")
    export_onnx(network, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert counts.integer["QLinearConv"] == len(network.convolutions)
    assert not {"Clip", "Conv", "Mul", "HardSwish", "HardSigmoid"} & counts.float.keys()
    export_tflite(network, tmp_path / "q.tflite")
    assert count_tflite_operators((tmp_path / "q.tflite").read_bytes()).float == {}
    for difference in steps_off(network, tmp_path / "q.tflite"):
        assert difference.mean() < 1.5


@pytest.mark.data
def test_picodet(tmp_path: Path) -> None:
    graph = read_graph(shared("models/picodet_s_320.onnx"))
    changed = gates_as_convolutions(graph)
    before, after = (Counter(node.operator for node in one.nodes) for one in (graph, changed))
    assert len(hard_swish_gates(changed)) == 87
    assert after["Add"] <= 1 < before["Add"]
    assert after["Mul"] == before["Mul"] - 100
