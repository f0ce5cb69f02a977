"""Symmetric grids: planned for TensorRT, trainable, and computed in ONNX Runtime as they were trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from edgeagent.engines.onnxruntime_engine import OnnxRuntimeEngine
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export
from edgeagent.qat.export.paired_onnx import count_paired_operators
from edgeagent.qat.export.tensorrt_export import export_tensorrt
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.grid.plan import Channels
from edgeagent.qat.grid.symmetric import plan_symmetric_grids
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq, is_q
from edgeagent.qat.lint.tensorrt_lint import lint_tensorrt
from edgeagent.qat.network.fake_quantize import ActivationGrid
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, GraphBuilder, small_nanodet, small_relu_net, small_yolox

PICTURE = np.random.default_rng(1).integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)


def residual_net(path: Path) -> Path:
    """Sums as in ResNet and ELAN: conv + add + relu, and a sum whose two branches are read again."""
    g = GraphBuilder(3)
    stem = g.node("Relu", g.conv("images", (3, 8), 3, 2))
    block = g.node("Relu", g.node("Add", g.conv(g.node("Relu", g.conv(stem, (8, 8), 3)), (8, 8), 3), stem))
    branch = g.conv(block, (8, 8), 3)
    both = g.node("Add", branch, block)
    again = g.node("Add", g.conv(g.node("Relu", branch), (8, 8)), g.conv(branch, (8, 8)))
    last = g.node("Concat", g.node("Relu", both), again, axis=1)
    return g.save(path, {g.conv(last, (16, 4), 3, 2): (1, 4, SIZE // 4, SIZE // 4)})


def planned(path: Path, mean: Channels = (0, 0, 0), std: Channels = (1, 1, 1)) -> Network:
    """Return a calibrated network on symmetric grids."""
    graph = read_graph(path)
    network = Network(graph, plan_symmetric_grids(graph, mean, std))
    pictures = (torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255).round()
    channels = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (mean, std))
    pictures = (pictures - next(channels)) / next(channels)
    set_ranges(network, observe(network, [pictures]), "minmax")
    network.set_mode("quantize")
    return network


def infer(path: Path) -> list[npt.NDArray[np.float32]]:
    engine = OnnxRuntimeEngine(path, threads=1)
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer([PICTURE], outputs)
    return outputs


BUILDERS = [small_yolox, small_relu_net, small_nanodet, residual_net]


@pytest.mark.parametrize("build", BUILDERS)
def test_the_engine_computes_what_was_trained(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = planned(build(tmp_path / "m.onnx"))
    export_tensorrt(network, tmp_path / "q.onnx")
    with torch.no_grad():
        trained = network(torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32)))
    for got, wanted in zip(infer(tmp_path / "q.onnx"), trained, strict=True):
        step = float(wanted.max() - wanted.min()) / 255
        difference = np.abs(got - wanted.numpy()) / step
        assert difference.mean() < 0.2  # a rounding tie here and there
        assert difference.max() < 8


@pytest.mark.parametrize("build", BUILDERS)
def test_the_linter_finds_nothing(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = planned(build(tmp_path / "m.onnx"))
    export_tensorrt(network, tmp_path / "q.onnx")
    assert lint_tensorrt(onnx.load(str(tmp_path / "q.onnx"))) == []
    counts = count_paired_operators(tmp_path / "q.onnx")
    assert counts.integer["Conv"] == len(network.convolutions)
    assert counts.integer.get("MaxPool", 0) == (1 if build is small_yolox else 0)
    assert not {"Relu", "Sigmoid", "Mul", "Add"} & set(counts.integer)


def test_activations_are_symmetric_and_heads_float(tmp_path: Path) -> None:
    network = planned(small_yolox(tmp_path / "m.onnx"))
    assert {grid.symmetric for grid in network.plan.grids} == {True}
    assert not any(head.tensor in network.plan.of for head in network.graph.heads)
    grids = [cast(ActivationGrid, grid) for grid in network.grids]
    assert {grid.quantization()[1] for grid in grids} == {128}
    assert not any(grid.zero_point.requires_grad for grid in grids)
    picture = network.plan.grids[network.plan.of["images"]]
    assert picture.fixed == (255 / 127, 128)


def test_scales_are_learned_and_zero_points_are_not(tmp_path: Path) -> None:
    network = planned(small_yolox(tmp_path / "m.onnx"))
    heads = network(torch.from_numpy(PICTURE.transpose(0, 3, 1, 2).astype(np.float32)))
    sum(head.square().mean() for head in heads).backward()
    learned = [grid for grid, plan in zip(network.grids, network.plan.grids, strict=True) if not plan.fixed]
    assert all(grid.log_scale.grad is not None and grid.log_scale.grad != 0 for grid in learned)
    assert all(grid.zero_point.grad is None for grid in learned)


def test_one_scale_for_everything_a_concat_holds(tmp_path: Path) -> None:
    network = planned(small_yolox(tmp_path / "m.onnx"))
    for node in network.graph.nodes:
        if node.operator in ("Concat", "MaxPool", "Resize"):
            tensors = [name for name in (*node.inputs, *node.outputs) if name in network.plan.of]
            computed = [name for name in node.inputs if name and name not in network.graph.constants]
            assert len(tensors) == len(computed) + 1
            assert len({network.plan.of[name] for name in tensors}) == 1


def test_a_sum_quantizes_its_residual_only(tmp_path: Path) -> None:
    network = planned(residual_net(tmp_path / "m.onnx"))
    export_tensorrt(network, tmp_path / "q.onnx")
    model = QdqModel(onnx.load(str(tmp_path / "q.onnx")))
    sums = [node for node in model.nodes if node.op_type == "Add"]
    assert len(sums) == 3
    for node in sums:
        assert sum(is_dq(model.producer(name)) for name in node.input) == 1
    relu = [node for node in model.nodes if node.op_type == "Relu"]
    assert not any(is_dq(model.producer(node.input[0])) for node in relu)
    assert len(network.plan.reads_float) >= 2  # branches that others read quantized


def test_weights_are_int8_biases_float_and_activations_int8(tmp_path: Path) -> None:
    network = planned(small_yolox(tmp_path / "m.onnx"))
    export_tensorrt(network, tmp_path / "q.onnx")
    model = QdqModel(onnx.load(str(tmp_path / "q.onnx")))
    assert {model.code_type(node) for node in model.pairs} == {onnx.TensorProto.INT8}
    for node in model.nodes:
        if node.op_type == "Conv":
            weight = model.producer(node.input[1])
            assert is_dq(weight)
            codes, bias = model.constant(weight.input[0]), model.constant(node.input[2])
            assert codes is not None and codes.dtype == np.int8 and np.abs(codes.astype(int)).max() == 127
            assert bias is not None and bias.dtype == np.float32
    assert all(len(model.readers(node.output[0])) == 1 for node in model.pairs if is_q(node))


def test_mean_and_std_are_computed_by_the_artefact(tmp_path: Path) -> None:
    mean, std = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)
    network = planned(small_nanodet(tmp_path / "m.onnx"), mean, std)
    export_tensorrt(network, tmp_path / "q.onnx")
    engine = OnnxRuntimeEngine(tmp_path / "q.onnx", threads=1)
    assert engine.inputs[0].dtype == np.dtype(np.uint8)
    assert engine.inputs[0].scale is None
    pixels = PICTURE.astype(np.float32)
    normalized = ((pixels - np.float32(mean)) / np.float32(std)).transpose(0, 3, 1, 2)  # type: ignore[arg-type]
    with torch.no_grad():
        trained = network(torch.from_numpy(np.ascontiguousarray(normalized)))
    for got, wanted in zip(infer(tmp_path / "q.onnx"), trained, strict=True):
        assert np.abs(got - wanted.numpy()).mean() < 0.05 * float(wanted.max() - wanted.min()) / 255


def test_kinds_of_grids_do_not_mix(tmp_path: Path) -> None:
    path = small_nanodet(tmp_path / "m.onnx")
    with pytest.raises(DataError, match="train it on symmetric grids"):
        export(calibrated(path), tmp_path, "onnx-b")
    with pytest.raises(DataError, match="train it on affine grids"):
        export(planned(path), tmp_path, "onnx")
    with pytest.raises(DataError, match="network trained on symmetric grids"):
        export_tensorrt(calibrated(path), tmp_path / "q.onnx")


def test_a_file_that_tensorrt_would_not_run_is_not_written(tmp_path: Path) -> None:
    network = planned(small_nanodet(tmp_path / "m.onnx"))
    with torch.no_grad():
        network.grids[1].log_scale.fill_(float("nan"))  # type: ignore[operator]
    with pytest.raises(DataError, match="positive-scale"):
        export_tensorrt(network, tmp_path / "q.onnx")
    assert not (tmp_path / "q.onnx").exists()
