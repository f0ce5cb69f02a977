"""Detectors of several families: cut at their raw predictions, equal in float, on integers in the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edgeagent.bundle.manifest import DecoderSpec, InputSpec, ModelDescription
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import export
from edgeagent.qat.graph.graph import Graph, read_graph
from edgeagent.qat.graph.heads import check_heads, describe_cut, role, stride
from edgeagent.qat.grid.affine import PIXELS, plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.data import shared
from tests.qat.detectors import BINS, CLASSES, yolo11_like, yolo_nas_like, yolov6_like, yolov8_like
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_yolox
from tests.qat.network.test_network import run_heads

Build = Callable[[Path], Path]
FAMILIES: list[Build] = [yolov8_like, yolo11_like, yolo_nas_like, yolov6_like]


@pytest.mark.parametrize("build", FAMILIES)
def test_the_heads_are_the_raw_predictions(build: Build, tmp_path: Path) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    box = 4 if build is yolov6_like else 4 * BINS
    found = [(role(head, graph), stride(head, graph), head.shape[1]) for head in graph.heads]
    assert sorted(found) == sorted(
        (kind, size, channels) for kind, channels in (("box", box), ("classes", CLASSES)) for size in (8, 16)
    )
    assert "Softmax" not in graph.after or "Conv" in graph.after  # the expectation over the bins is decoding


@pytest.mark.parametrize("first", ["objectness", "classes"])
def test_the_two_scores_of_one_class_are_told_apart_by_the_output(first: str, tmp_path: Path) -> None:
    path = small_yolox(tmp_path / "m.onnx", classes=1)
    model = onnx.load(str(path))
    if first == "classes":  # the convolutions change places in the file, not in the output
        nodes = list(model.graph.node)
        places = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
        for one, other in ((places[-5], places[-4]), (places[-2], places[-1])):
            nodes[one], nodes[other] = nodes[other], nodes[one]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.save(model, str(path))
    writers = {name: node for node in model.graph.node for name in node.output}
    joined = [node for node in model.graph.node if node.op_type == "Concat"][-3:-1]
    wanted = {}
    for node in joined:
        for name, kind in zip(node.input, ("box", "objectness", "classes"), strict=True):
            wanted[name if kind == "box" else writers[name].input[0]] = kind
    graph = read_graph(path)
    assert {head.tensor: role(head, graph) for head in graph.heads} == wanted
    described(graph, 1, "yolox")


@pytest.mark.parametrize("build", FAMILIES)
def test_float_run_equals_onnxruntime(build: Build, tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx")
    graph = read_graph(path)
    network = Network(graph, plan_affine_grids(graph, None))
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    with torch.no_grad():
        heads = network(torch.from_numpy(picture))
    for got, wanted in zip(heads, run_heads(path, graph, picture), strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-4 * max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("build", FAMILIES)
def test_everything_runs_on_integers(build: Build, tmp_path: Path) -> None:
    network = calibrated(build(tmp_path / "m.onnx"))
    exported = export(network, tmp_path, "onnx")
    assert exported.operators.integer["QLinearConv"] == len(network.convolutions)
    assert set(exported.operators.float) == {"DequantizeLinear"}


def operators(graph: Graph) -> list[str]:
    return [node.operator for node in graph.nodes]


def test_parallel_branches_become_one_convolution(tmp_path: Path) -> None:
    for build, blocks in ((yolov6_like, 2), (yolo_nas_like, 3)):
        graph = read_graph(build(tmp_path / "m.onnx"))
        assert "Add" not in operators(graph)
        assert operators(graph).count("Relu") == blocks + (3 if build is yolov6_like else 4)


def test_heads_that_share_weights_get_weights_of_their_own(tmp_path: Path) -> None:
    graph = read_graph(yolov6_like(tmp_path / "m.onnx"))
    weights = [node.inputs[1] for node in graph.nodes if node.operator == "Conv"]
    assert len(set(weights)) == len(weights)


def test_named_heads_are_the_cut(tmp_path: Path) -> None:
    path = yolov8_like(tmp_path / "m.onnx")
    whole = read_graph(path)
    first = whole.heads[0]
    writer = next(node for node in whole.nodes if first.tensor in node.outputs)
    for name in (first.tensor, writer.name):
        graph = read_graph(path, heads=[name])
        assert graph.heads == (first,)
        assert len(graph.nodes) < len(whole.nodes)


def test_an_unknown_head_is_refused_with_names_like_it(tmp_path: Path) -> None:
    path = yolov8_like(tmp_path / "m.onnx")
    name = read_graph(path).heads[0].tensor
    with pytest.raises(DataError, match=f"head {name}x: .*close are .*{name}"):
        read_graph(path, heads=[f"{name}x"])


def test_boxes_and_scores_in_one_tensor_are_refused(tmp_path: Path) -> None:
    path = yolov8_like(tmp_path / "m.onnx")
    heads = {head.tensor for head in read_graph(path).heads}
    joined = next(node for node in onnx.load(str(path)).graph.node if heads.issuperset(node.input))
    with pytest.raises(DataError, match=f"boxes and scores would share the tensor {joined.output[0]}"):
        read_graph(path, heads=[joined.output[0]])


def test_a_head_behind_its_sigmoid_is_refused(tmp_path: Path) -> None:
    path = yolov6_like(tmp_path / "m.onnx")
    sigmoid = next(node for node in onnx.load(str(path)).graph.node if node.op_type == "Sigmoid")
    with pytest.raises(DataError, match=f"name the tensor before it: {sigmoid.input[0]}"):
        read_graph(path, heads=[sigmoid.output[0]])


def test_the_cut_is_told(tmp_path: Path) -> None:
    graph = read_graph(yolov8_like(tmp_path / "m.onnx"))
    lines = describe_cut(graph)
    assert lines[0] == f"{graph.heads[0].tensor}: box, 16 x 8 x 8, stride 8"
    assert lines[-1].startswith(
        "after the heads, in float and not part of the artefacts: 2 Add, 4 Concat, 1 Conv, "
    )


def described(graph: Graph, labels: int, family: str = "yolov8", reg_max: int = BINS) -> None:
    """Check the heads of a graph against a description."""
    _, _, height, width = graph.input_shape
    decoder = DecoderSpec(family=family, strides=(8, 16), reg_max=reg_max)  # type: ignore[arg-type]
    description = ModelDescription(
        name="tiny",
        version="1.0.0",
        task="detection",
        labels=tuple(f"class{number}" for number in range(labels)),
        input=InputSpec(width=width, height=height, layout="nchw", colour="rgb"),
        decoder=decoder,
        licence="Apache-2.0",
        attribution="tests",
    )
    check_heads(graph, description)


def test_heads_that_fit_their_description_pass(tmp_path: Path) -> None:
    described(read_graph(yolov8_like(tmp_path / "m.onnx")), CLASSES)
    described(read_graph(small_yolox(tmp_path / "x.onnx", CLASSES)), CLASSES, "yolox")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((CLASSES + 1,), f"predicts {CLASSES} classes, the description lists {CLASSES + 1} labels"),
        (
            (CLASSES, "yolox"),
            "reads box, classes, objectness at each stride; at stride 8 there are box, classes",
        ),
        ((CLASSES, "yolov8", 16), "gives 16 numbers for a box, the decoder yolov8 expects 4 or 64"),
    ],
)
def test_heads_that_do_not_fit_are_refused(
    arguments: tuple[int, str, int], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=reason):
        described(read_graph(yolov8_like(tmp_path / "m.onnx")), *arguments)


@pytest.mark.data
def test_yolox_as_it_is_published() -> None:
    path = shared("models", "yolox_nano.onnx")
    graph = read_graph(path)
    assert [head.shape[1] for head in graph.heads] == [80, 4, 1] * 3
    picture = np.random.default_rng(0).integers(0, 256, graph.input_shape).astype(np.float32)
    with torch.no_grad():
        heads = Network(graph, plan_affine_grids(graph, PIXELS))(torch.from_numpy(picture))
    for got, wanted in zip(heads, run_heads(path, graph, picture), strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-4 * max(1, np.abs(wanted).max()))
