"""Every supported operator on integers: the ONNX artefact computes what the fake-quantized network does."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from hypothesis import given, settings

from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from tests.qat.graph.test_operators import QUIET
from tests.qat.operator_graphs import HEIGHT, WIDTH, operator_graphs, save

Reals = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


PIXEL = 1 / 255  # step of the input: activations of a sensible size
SATURATING = 12.0  # steps: 8-bit sums saturate on processors without VNNI, and a flip grows behind a gate


def calibrated_network(model: onnx.ModelProto, folder: Path) -> Network:
    """The network of a graph, calibrated on pictures 0..1."""
    graph = read_graph(save(model, folder / "m.onnx"))
    network = Network(graph, plan_affine_grids(graph, (PIXEL, 0)))
    pictures = torch.rand(2, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    set_ranges(network, observe(network, [pictures]), "minmax")
    network.set_mode("quantize")
    return network


def run_unfused(artefact: Path, codes: Codes) -> list[Reals]:
    """The heads as the artefact defines them: every Q/DQ pair computed as it is written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(artefact.read_bytes(), options, ["CPUExecutionProvider"])
    outputs: list[Reals] = session.run(None, {"picture": codes})
    return outputs


def run_fused(artefact: Path, codes: Codes) -> list[Reals]:
    """The heads as the engine computes them."""
    engine = OnnxRuntimeEngine(artefact, threads=1)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([codes], outputs)
    return outputs


@settings(max_examples=25, **QUIET)  # type: ignore[arg-type]
@given(operator_graphs())
def test_artefact_computes_what_the_network_does(tmp_path: Path, model: onnx.ModelProto) -> None:
    network, artefact = calibrated_network(model, tmp_path), tmp_path / "q.onnx"
    export_onnx(network, artefact)
    counts = count_operators(artefact)
    assert not [name for name in counts.float if "Conv" in name]
    codes = np.random.default_rng(1).integers(0, 256, (1, HEIGHT, WIDTH, 3), np.uint8)
    with torch.no_grad():
        trained = network(torch.from_numpy(codes.transpose(0, 3, 1, 2).astype(np.float32)) * PIXEL)
    answers = zip(run_unfused(artefact, codes), run_fused(artefact, codes), trained, strict=True)
    for head, (written, fused, wanted) in zip(network.graph.heads, answers, strict=True):
        step = cast(ActivationGrid, network.grids[network.plan.of[head.tensor]]).quantization()[0]
        assert np.abs(written - wanted.numpy()).mean() / step < 1.0, counts
        assert np.abs(fused - wanted.numpy()).mean() / step < SATURATING, counts
