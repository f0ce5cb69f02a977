"""Multiply-accumulates of a graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.macs import count_macs, integer_share
from tests.qat.models import GraphBuilder


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
