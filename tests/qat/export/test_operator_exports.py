"""Every supported operator on integers: the ONNX artefact computes what the fake-quantized network does."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from hypothesis import given, settings

from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.grid import PIXELS, plan_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.runtime.onnxruntime_engine import OnnxRuntimeEngine
from tests.qat.graph.test_operators import QUIET
from tests.qat.operator_graphs import HEIGHT, WIDTH, operator_graphs, save


def calibrated_network(model: onnx.ModelProto, folder: Path) -> Network:
    """The network of a graph, calibrated on pictures 0..255."""
    graph = read_graph(save(model, folder / "m.onnx"))
    network = Network(graph, plan_grids(graph, PIXELS))
    pictures = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    set_ranges(network, observe(network, [(pictures * 255).round()]), "minmax")
    network.set_mode("quantize")
    return network


@settings(max_examples=25, **QUIET)  # type: ignore[arg-type]
@given(operator_graphs())
def test_artefact_computes_what_the_network_does(tmp_path: Path, model: onnx.ModelProto) -> None:
    network = calibrated_network(model, tmp_path)
    export_onnx(network, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert not [name for name in counts.float if "Conv" in name]
    engine = OnnxRuntimeEngine(tmp_path / "q.onnx", threads=1)
    codes = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([codes], outputs)
    with torch.no_grad():
        trained = network(torch.from_numpy(codes.transpose(0, 3, 1, 2).astype(np.float32)))
    for head, got, wanted in zip(network.graph.heads, outputs, trained, strict=True):
        grid = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]])
        difference = np.abs(got - wanted.numpy()) / grid.quantization()[0]
        assert difference.mean() < 1.0, counts
