"""Multiplications of graphs and artefacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.macs import artefact_macs, count_macs, integer_share
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import GraphBuilder, small_relu_net, small_yolox


def test_macs_are_outputs_times_weights(tmp_path: Path) -> None:
    g = GraphBuilder()
    x = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    head = g.conv(g.conv(x, (8, 8), 3, group=8), (8, 4))
    graph = read_graph(g.save(tmp_path / "m.onnx", {head: (1, 4, 32, 32)}))
    cells = 32 * 32
    assert list(count_macs(graph).values()) == [cells * 8 * 27, cells * 8 * 9, cells * 4 * 8]
    depthwise = graph.nodes[2].name
    assert integer_share(graph, {depthwise}) == pytest.approx(1 - 72 / (216 + 72 + 32))
    assert integer_share(graph, ()) == 1


def test_an_artefact_has_the_macs_of_its_graph(tmp_path: Path) -> None:
    for build in (small_yolox, small_relu_net):
        network = calibrated(build(tmp_path / "m.onnx"))
        export_onnx(network, tmp_path / "q.onnx")
        assert artefact_macs(tmp_path / "q.onnx") == (sum(count_macs(network.graph).values()), 0)


def test_a_float_graph_has_no_integer_macs(tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    assert artefact_macs(path) == (0, sum(count_macs(read_graph(path)).values()))
