"""A focus layer folded into its convolution: the same numbers, without slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.focus import fold_focus
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.lint.edgetpu_lint import lint_edgetpu
from edgeagent.qat.network.network import Network
from tests.data import shared
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, GraphBuilder, small_relu_net, small_yolox

PICTURES = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255


def operators(graph: Graph) -> list[str]:
    return [node.operator for node in graph.nodes]


def chained_focus(path: Path, stride: int = 1, pad: int = 1, step: int = 2) -> Path:
    """As torch exports it: rows first, then columns, in the order of YOLOX."""
    g = GraphBuilder(4)

    def every_second(x: str, axis: int, start: int) -> str:
        bounds = (g.constant([start]), g.constant([2**63 - 1]), g.constant([axis]), g.constant([step]))
        return g.node("Slice", x, *bounds)

    rows = [every_second("images", 2, start) for start in (0, 1)]
    parts = [every_second(row, 3, column) for column in (0, 1) for row in rows]
    x = g.conv(g.node("Concat", *parts, axis=1), (12, 8), 3, stride)
    g.nodes[-1].attribute[2].ints[:] = [pad] * 4
    size = (SIZE // step + 2 * pad - 3) // stride + 1
    return g.save(path, {x: (1, 8, size, size)})


@pytest.mark.parametrize(("stride", "pad"), [(1, 1), (2, 1), (1, 0), (2, 0)])
def test_the_folded_graph_computes_the_same(tmp_path: Path, stride: int, pad: int) -> None:
    graph = read_graph(chained_focus(tmp_path / "m.onnx", stride, pad))
    folded = fold_focus(graph)
    assert operators(folded) == ["Conv"]
    before, after = (Network(g, plan_affine_grids(g, PIXELS)) for g in (graph, folded))
    with torch.no_grad():
        (wanted,), (got,) = before(PICTURES), after(PICTURES)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-3)


def test_a_whole_network_computes_the_same(tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx"))
    folded = fold_focus(graph)
    assert operators(graph).count("Slice") == 4
    assert operators(folded).count("Slice") == 0
    assert operators(folded).count("Concat") == operators(graph).count("Concat") - 1
    assert folded.constants.keys() - graph.constants.keys() == {"constant7.focus"}
    before, after = (Network(g, plan_affine_grids(g, PIXELS)) for g in (graph, folded))
    with torch.no_grad():
        for wanted, got in zip(before(PICTURES), after(PICTURES), strict=True):
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-2)


def test_other_slices_stay(tmp_path: Path) -> None:
    graph = read_graph(chained_focus(tmp_path / "m.onnx", step=4))
    assert fold_focus(graph) is graph
    plain = read_graph(small_relu_net(tmp_path / "m.onnx"))
    assert fold_focus(plain) is plain


def test_the_folded_network_is_predicted_to_run_on_the_edge_tpu(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    graph = fold_focus(network.graph)
    folded = Network(graph, plan_affine_grids(graph, PIXELS))
    for index, grid in enumerate(folded.plan.grids):
        old = network.plan.of[grid.tensors[0]]
        folded.grids[index].load_state_dict(network.grids[old].state_dict())
    export(folded, tmp_path, "tflite-uint8")
    report = lint_edgetpu(tmp_path / "model.uint8.tflite")
    assert [finding for finding in report.findings if finding.severity == "error"] == []
    assert report.mapped == len(report.operators)


@pytest.mark.data
def test_yolox_nano_has_one() -> None:
    graph = read_graph(shared("models", "yolox_nano.onnx"))
    folded = fold_focus(graph)
    assert "Slice" not in operators(folded)
    first = folded.nodes[0]
    assert (first.operator, first.inputs[0]) == ("Conv", graph.input)
    assert np.shape(folded.constants[first.inputs[1]]) == (16, 3, 6, 6)
