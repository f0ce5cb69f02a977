"""The artefact: fused completely by ONNX Runtime, and computing what was trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest
import torch

from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.qat.export.onnx_export import export_onnx
from edgeagent.qat.export.operator_counts import count_operators
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import Method, observe, set_ranges
from tests.qat.models import SIZE, small_relu_net, small_yolox


def calibrated(path: Path, pixel_input: bool = True, method: Method = "minmax") -> Network:
    graph = read_graph(path)
    network = Network(graph, plan_affine_grids(graph, PIXELS if pixel_input else None))
    scale = 255 if pixel_input else 1
    pictures = torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * scale
    set_ranges(network, observe(network, [pictures.round() if pixel_input else pictures]), method)
    network.set_mode("quantize")
    return network


@pytest.mark.parametrize("build", [small_yolox, small_relu_net])
def test_no_convolution_stays_float(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = calibrated(build(tmp_path / "m.onnx"))
    export_onnx(network, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert counts.integer["QLinearConv"] == len(network.convolutions)
    assert "Conv" not in counts.float
    assert "FusedConv" not in counts.float


def test_silu_runs_on_integers(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    export_onnx(network, tmp_path / "q.onnx")
    counts = count_operators(tmp_path / "q.onnx")
    assert counts.integer["QLinearSigmoid"] == counts.integer["QLinearMul"] == len(network.plan.silu)
    assert set(counts.float) <= {"DequantizeLinear"}


def test_weights_are_stored_as_int8_and_biases_as_int32(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"))
    export_onnx(network, tmp_path / "q.onnx")
    stored = {item.name: item for item in onnx.load(str(tmp_path / "q.onnx")).graph.initializer}
    for node in network.graph.nodes:
        if node.operator == "Conv":
            weight = onnx.numpy_helper.to_array(stored[f"{node.inputs[1]}_q"])
            assert weight.dtype == np.int8
            assert weight.min() >= -127
            assert stored[f"{node.inputs[2]}_q"].data_type == onnx.TensorProto.INT32
            assert node.inputs[1] not in stored


@pytest.mark.parametrize("build", [small_yolox, small_relu_net])
@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_engine_computes_what_was_trained(
    build: Callable[[Path], Path], method: Method, tmp_path: Path
) -> None:
    network = calibrated(build(tmp_path / "m.onnx"), method=method)
    export_onnx(network, tmp_path / "q.onnx")
    engine = OnnxRuntimeEngine(tmp_path / "q.onnx", threads=1)
    picture = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([picture], outputs)
    with torch.no_grad():
        trained = network(torch.from_numpy(picture.transpose(0, 3, 1, 2).astype(np.float32)))
    for head, got, wanted in zip(network.graph.heads, outputs, trained, strict=True):
        grid = network.grids[network.plan.of[head.tensor]]
        step, _ = cast(ActivationGrid, grid).quantization()
        difference = np.abs(got - wanted.numpy()) / step
        assert difference.mean() < 1.0  # ties of rounding that grow; 0.0 to 0.7 with other pictures
        assert difference.max() < 16


def test_normalized_input_grid_is_noted_for_the_engine(tmp_path: Path) -> None:
    network = calibrated(small_yolox(tmp_path / "m.onnx"), pixel_input=False)
    export_onnx(network, tmp_path / "q.onnx")
    engine = OnnxRuntimeEngine(tmp_path / "q.onnx", threads=1)
    (spec,) = engine.inputs
    assert spec.dtype == np.uint8
    assert spec.shape == (1, SIZE, SIZE, 3)
    assert spec.scale == pytest.approx(1 / 255, rel=0.01)
    assert spec.zero_point == 0
