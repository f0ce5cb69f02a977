"""Multiply-accumulates of artefacts."""

from __future__ import annotations

from pathlib import Path

from edgeagent.qat.export.artefact_macs import artefact_macs
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.macs import count_macs
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import small_relu_net, small_yolox


def test_an_artefact_has_the_macs_of_its_graph(tmp_path: Path) -> None:
    for build in (small_yolox, small_relu_net):
        network = calibrated(build(tmp_path / "m.onnx"))
        export_onnx(network, tmp_path / "q.onnx")
        assert artefact_macs(tmp_path / "q.onnx") == (sum(count_macs(network.graph).values()), 0)


def test_a_float_graph_has_no_integer_macs(tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx")
    assert artefact_macs(path) == (0, sum(count_macs(read_graph(path)).values()))
