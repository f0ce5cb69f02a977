"""Outputs of the detection operator in TFLite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.detection.detector import load_detector
from edgeagent.engines.tflite_file import NONE, find_detection_outputs
from edgeagent.errors import BundleError
from tests.data import shared

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

TF1, TF2 = (0, 1, 2, 3), (2, 0, 3, 1)  # boxes, classes, scores, count; scores, boxes, count, classes


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def graph(order: tuple[int, ...], code: bytes = b"TFLite_Detection_PostProcess", classes: int = 91) -> bytes:
    """Return a graph of the one operator; its outputs are the tensors 3 to 6."""
    shapes = [(1, 10, 4), (1, 10, classes), (10, 4), (1, 5, 4), (1, 5), (1, 5), (1,)]
    tensors = []
    for shape in shapes:
        tensor = schema.TensorT()
        tensor.shape = np.array(shape, np.int32)
        tensors.append(tensor)
    other, own = schema.OperatorCodeT(), schema.OperatorCodeT()
    own.customCode = code
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 1, [0, 1, 2], [3, 4, 5, 6]
    subgraph = schema.SubGraphT()
    subgraph.tensors, subgraph.operators = tensors, [operator]
    subgraph.inputs, subgraph.outputs = [0, 1], [3 + place for place in order]
    model = schema.ModelT()
    model.operatorCodes, model.subgraphs = [other, own], [subgraph]
    return packed(model)


@pytest.mark.parametrize("order", [TF1, TF2], ids=["tf1", "tf2"])
def test_roles_are_those_of_the_operator_in_any_order_of_the_graph(order: tuple[int, ...]) -> None:
    found = find_detection_outputs(graph(order))
    assert found.roles == {3: "boxes", 4: "classes", 5: "scores", 6: "count"}
    assert found.classes == 90


def test_a_graph_without_the_operator_has_no_such_outputs() -> None:
    assert find_detection_outputs(graph(TF1, b"edgetpu-custom-op")) == NONE


def test_a_damaged_file_has_no_such_outputs() -> None:
    whole = graph(TF1)
    for length in range(0, len(whole), 7):
        find_detection_outputs(whole[:length])
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(whole)
        broken[int(random.integers(len(whole)))] = int(random.integers(256))
        find_detection_outputs(bytes(broken))


def described(labels: int) -> ModelDescription:
    return ModelDescription.model_validate(
        {
            "name": "ssd",
            "version": "1.0.0",
            "task": "detection",
            "labels": [f"class {number}" for number in range(labels)],
            "input": {"width": 300, "height": 300, "layout": "nhwc", "colour": "rgb", "letterbox": None},
            "decoder": {"family": "ssd"},
            "licence": "Apache-2.0",
            "attribution": "TensorFlow",
        }
    )


@pytest.mark.data
def test_a_model_with_outputs_in_the_order_of_tf2_gives_the_same_detections(tmp_path: Path) -> None:
    source = shared("models", "ssd_mobilenet_v1_coco_quant_uint8.tflite")
    model = schema.ModelT.InitFromPackedBuf(source.read_bytes(), 0)
    outputs = list(model.subgraphs[0].outputs)
    model.subgraphs[0].outputs = [outputs[place] for place in TF2]
    turned = tmp_path / "tf2.tflite"
    turned.write_bytes(packed(model))
    picture = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    found = []
    for path in (source, turned):
        detector = load_detector(described(90), path, "tflite", (), 1, 0.5)
        found.append(detector.detect(picture, detector.allocate(), 0.05))
        detector.engine.close()
    assert len(found[0]) and found[0].scores.max() <= 1
    np.testing.assert_array_equal(found[0].boxes, found[1].boxes)
    np.testing.assert_array_equal(found[0].classes, found[1].classes)


@pytest.mark.data
def test_a_model_with_more_classes_than_labels_is_refused() -> None:
    path = shared("models", "ssd_mobilenet_v1_coco_quant_uint8.tflite")
    with pytest.raises(BundleError, match="predicts 90 classes, the description lists 10 labels"):
        load_detector(described(10), path, "tflite", (), 1, 0.5)
