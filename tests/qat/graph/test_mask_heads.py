"""Heads of models for instances: found in an export, named, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.graph.heads import bins, check_heads, role, stride
from edgeagent.qat.graph.trainable import read_task_graph
from edgeagent.qat.grid.affine import plan_affine_grids
from edgeagent.qat.network.network import Network
from tests.qat.detectors import BINS, CLASSES
from tests.qat.instance_detectors import COEFFICIENTS, STRIDE, described, yolo_seg_like
from tests.qat.models import SIZE


def test_the_heads_of_an_export_are_found(tmp_path: Path) -> None:
    graph = read_task_graph(yolo_seg_like(tmp_path / "m.onnx"), (), "instances")
    check_heads(graph, described())
    found = sorted((stride(head, graph), role(head, graph), head.shape[1]) for head in graph.heads)
    scales = [("box", 4 * BINS), ("classes", CLASSES), ("mask", COEFFICIENTS)]
    wanted = [(STRIDE, "prototypes", COEFFICIENTS), *((size, *one) for size in (8, 16) for one in scales)]
    assert found == wanted
    assert {bins(head) for head in graph.heads} == {1, BINS}
    assert all(head.logits == (head.role == "classes") for head in graph.heads)


def test_prototypes_are_those_of_the_output_behind_their_activation(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx")
    graph = read_task_graph(path, (), "instances")
    picture = np.random.default_rng(0).random((1, 3, SIZE, SIZE), np.float32)
    _, prototypes = onnxruntime.InferenceSession(path).run(None, {"images": picture})
    network = Network(graph, plan_affine_grids(graph, None))
    network.set_mode("float")
    with torch.no_grad():
        heads = network(torch.from_numpy(picture))
    (place,) = (place for place, head in enumerate(graph.heads) if head.role == "prototypes")
    np.testing.assert_allclose(heads[place].numpy(), prototypes, rtol=1e-3, atol=1e-4)
    assert prototypes.min() > -0.3  # of a SiLU


def test_named_heads_are_taken(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx")
    whole = read_task_graph(path, (), "instances")
    names = [f"{head.role}={head.tensor}" for head in whole.heads]
    named = read_task_graph(path, names, "instances")
    assert {(head.tensor, head.role) for head in named.heads} == {
        (head.tensor, head.role) for head in whole.heads
    }
    check_heads(named, described())


def test_a_map_before_its_activation_is_no_head_of_prototypes(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx")
    before = next(node.input[0] for node in reversed(onnx.load(path).graph.node) if node.op_type == "Sigmoid")
    with pytest.raises(DataError, match="of prototypes that behind their activation"):
        read_graph(path, [f"prototypes={before}"])


def test_a_detector_without_prototypes_is_refused(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx")
    boxes = [head.tensor for head in read_task_graph(path, (), "instances").heads if head.role == "box"]
    graph = read_task_graph(path, boxes, "instances")
    with pytest.raises(DataError, match=r"one tensor of prototypes, 0 are found .* such as RTMDet-Ins"):
        check_heads(graph, described())


def test_coefficients_of_another_number_are_refused(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx", COEFFICIENTS - 1)
    graph = read_task_graph(path, (), "instances")
    with pytest.raises(DataError, match="at stride 8 there are box, box, classes"):
        check_heads(graph, described())
    heads = [f"mask={head.tensor}" for head in graph.heads if head.shape[1] == COEFFICIENTS - 1]
    heads += [f"{head.role}={head.tensor}" for head in graph.heads if head.shape[1] != COEFFICIENTS - 1]
    with pytest.raises(DataError, match="gives 7 coefficients and there are 8 prototypes"):
        check_heads(read_task_graph(path, heads, "instances"), described())


def test_coefficients_before_a_function_are_refused(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx", tanh=True)
    graph = read_task_graph(path, (), "instances")
    with pytest.raises(DataError, match="takes the hyperbolic tangent of the coefficients"):
        check_heads(graph, described())


def test_prototypes_of_an_odd_size_are_refused(tmp_path: Path) -> None:
    path = yolo_seg_like(tmp_path / "m.onnx")
    wide = described().model_copy(
        update={"input": described().input.model_copy(update={"width": 2 * SIZE + 7})}
    )
    with pytest.raises(DataError, match="divided by no one stride"):
        check_heads(read_task_graph(path, (), "instances"), wide)


def test_a_model_with_masks_is_no_detector(tmp_path: Path) -> None:
    detection = described().model_copy(update={"task": "detection"})
    with pytest.raises(DataError, match="the heads have strides"):
        check_heads(read_graph(yolo_seg_like(tmp_path / "m.onnx")), detection)
