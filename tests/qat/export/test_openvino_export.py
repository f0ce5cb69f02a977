"""Partial grids: affine codes at the inputs of convolutions, computed in the engines as in the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from edgeagent.engines.loading import load_engine
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export
from edgeagent.qat.export.openvino_export import export_openvino
from edgeagent.qat.graph.graph import Graph
from edgeagent.qat.graph.trainable import read_trainable_graph
from edgeagent.qat.grid.partial import plan_partial_grids
from edgeagent.qat.grid.plan import Channels
from edgeagent.qat.lint.qdq_model import QdqModel, is_dq, is_q
from edgeagent.qat.network.network import Network
from edgeagent.qat.ptq.calibration import observe, set_ranges
from edgeagent.qat.ptq.equalization import channel_ranges, equalize
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.export.test_tensorrt_export import BUILDERS, PICTURE, residual_net
from tests.qat.graph.test_hard_gates import HARD_SWISHES, codes, small_picodet
from tests.qat.models import small_nanodet, small_yolox

BUILDS = [*BUILDERS, small_picodet]
STANDARD = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))


def partial(graph: Graph, mean: Channels = (0, 0, 0), std: Channels = (1, 1, 1)) -> Network:
    """Return a calibrated network on partial grids."""
    network = Network(graph, plan_partial_grids(graph, mean, std))
    mean_tensor, std_tensor = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (mean, std))
    set_ranges(network, observe(network, [(codes() - mean_tensor) / std_tensor]), "minmax")
    network.set_mode("quantize")
    return network


def equalized(graph: Graph) -> Graph:
    result = equalize(graph, channel_ranges(partial(graph), codes()))
    assert result.pairs
    return result.graph


def infer(path: Path, engine: str) -> list[npt.NDArray[np.float32]]:
    loaded = load_engine(path, "onnx", 1, engine)
    outputs = [spec.allocate() for spec in loaded.outputs]
    loaded.infer([PICTURE], outputs)
    loaded.close()
    return outputs


def assert_computed(network: Network, path: Path, picture: npt.NDArray[np.float32]) -> None:
    """Compare the outputs of a file in both engines with those of the network, in 255ths of their range."""
    with torch.no_grad():
        wanted = network(torch.from_numpy(picture))
    for engine in ("onnxruntime", "openvino"):
        for got, head in zip(infer(path, engine), wanted, strict=True):
            step = float(head.max() - head.min()) / 255
            assert np.abs(got - head.numpy()).mean() / step < 1


@pytest.mark.parametrize("build", BUILDS)
def test_the_engines_compute_what_was_calibrated(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = partial(read_trainable_graph(build(tmp_path / "m.onnx")))
    export_openvino(network, tmp_path / "q.onnx")
    assert_computed(network, tmp_path / "q.onnx", PICTURE.transpose(0, 3, 1, 2).astype(np.float32))


@pytest.mark.parametrize("build", BUILDS)
def test_convolutions_alone_read_codes(build: Callable[[Path], Path], tmp_path: Path) -> None:
    network = partial(read_trainable_graph(build(tmp_path / "m.onnx")))
    export_openvino(network, tmp_path / "q.onnx")
    model = QdqModel(onnx.load(str(tmp_path / "q.onnx")))
    convolutions = [node for node in model.nodes if node.op_type == "Conv"]
    assert len(convolutions) == len(network.convolutions) - len(network.plan.float_nodes)
    assert all(is_dq(model.producer(name)) for node in convolutions for name in node.input[:2])
    activations = [node for node in model.nodes if node.op_type in ("Sigmoid", "Relu", "Clip")]
    assert activations
    assert not any(is_dq(model.producer(node.input[0])) for node in activations)
    assert {model.code_type(node) for node in model.pairs if is_q(node)} == {onnx.TensorProto.UINT8}


def test_the_codes_of_a_picture_of_pixels_are_the_pixels(tmp_path: Path) -> None:
    network = partial(read_trainable_graph(small_yolox(tmp_path / "m.onnx")))
    assert network.plan.grids[network.plan.of["images"]].fixed == (1.0, 0)


def test_mean_and_std_are_computed_by_the_artefact(tmp_path: Path) -> None:
    mean, std = STANDARD
    network = partial(read_trainable_graph(small_nanodet(tmp_path / "m.onnx")), mean, std)
    scale, zero_point = network.plan.grids[network.plan.of["images"]].fixed or (0.0, 0)
    assert scale * -zero_point == pytest.approx(
        min(-m / s for m, s in zip(mean, std, strict=True)), abs=scale
    )
    export_openvino(network, tmp_path / "q.onnx")
    normalized = (PICTURE.astype(np.float32) - np.float32(mean)) / np.float32(std)  # type: ignore[arg-type]
    assert_computed(network, tmp_path / "q.onnx", np.ascontiguousarray(normalized.transpose(0, 3, 1, 2)))


@pytest.mark.parametrize("balanced", [False, True])
def test_gates_of_hard_swish_are_not_quantized(tmp_path: Path, balanced: bool) -> None:
    graph = read_trainable_graph(small_picodet(tmp_path / "m.onnx"))
    network = partial(equalized(graph) if balanced else graph)
    exported = export(network, tmp_path, "onnx-c")
    assert exported.grid == "c"
    counts = exported.operators
    assert len(network.plan.float_nodes) == counts.float["Add"] == HARD_SWISHES
    assert "Conv" not in counts.float
    assert_computed(network, exported.path, PICTURE.transpose(0, 3, 1, 2).astype(np.float32))


def test_partial_grids_do_not_mix_with_others(tmp_path: Path) -> None:
    path = small_nanodet(tmp_path / "m.onnx")
    with pytest.raises(DataError, match="needs a network on partial grids"):
        export_openvino(calibrated(path), tmp_path / "q.onnx")
    with pytest.raises(DataError, match="train it on partial grids"):
        export(calibrated(path), tmp_path, "onnx-c")


def test_a_residual_is_quantized_and_the_fused_branch_is_not(tmp_path: Path) -> None:
    network = partial(read_trainable_graph(residual_net(tmp_path / "m.onnx")))
    export_openvino(network, tmp_path / "q.onnx")
    model = QdqModel(onnx.load(str(tmp_path / "q.onnx")))
    sums = [node for node in model.nodes if node.op_type == "Add"]
    assert sums
    assert all(sum(is_dq(model.producer(name)) for name in node.input) == 1 for node in sums)
