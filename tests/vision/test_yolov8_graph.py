"""YOLOv8-like graph, built here, through engine, preprocessing and decoder.

It detects red or white squares in black pictures: a cell that is completely red is an object of class 1, and
each scale has its own distances to the four sides, given as distributions over 16 bins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import helper

from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.errors import BundleError
from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from tests.engines.onnx_graphs import FLOAT, value, write_graph

WIDTH, HEIGHT, BINS, WHITE = 64, 32, 16, 255
IOU = 0.7  # the boxes of a large square's small cells overlap it by .625
SIDES: dict[int, tuple[float, float, float, float]] = {8: (0.5, 1.0, 1.5, 0.25), 16: (0.5, 0.5, 0.5, 0.5)}
"""Distances left, top, right, bottom in cells, by stride."""
DESCRIPTION: dict[str, Any] = {
    "name": "squares",
    "version": "1.0.0",
    "task": "detection",
    "labels": ["nothing", "square"],
    "input": {
        "width": WIDTH,
        "height": HEIGHT,
        "layout": "nchw",
        "colour": "rgb",
        "std": [255, 255, 255],
        "letterbox": {"anchor": "centre", "pad": 0},
    },
    "decoder": {"family": "yolov8", "strides": list(SIDES), "reg_max": BINS},
    "licence": "Apache-2.0",
    "attribution": "made by the tests",
}


def bins(distance: float) -> Any:
    """Return logits whose expectation is ``distance``: all weight on the two adjacent bins."""
    weights = np.full(BINS, 1e-12)
    weights[int(distance)] += 1 - distance % 1
    weights[int(distance) + 1] += distance % 1
    return np.log(weights)


def heads(constants: dict[str, Any], boxes: bool = True) -> list[onnx.NodeProto]:
    """Return the nodes from ``picture`` to ``box_8``, ``classes_8`` and so on."""
    nodes = []
    for stride, sides in SIDES.items():
        window: dict[str, Any] = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        nodes.append(helper.make_node("AveragePool", ["picture"], [f"mean_{stride}"], **window))
        # of red, green, blue only red counts: the logit is 12 * red - 10
        filters: dict[str, tuple[Any, Any]] = {"classes": ([[0, 0, 0], [12, 0, 0]], [-10, -10])}
        if boxes:
            filters["box"] = (np.zeros((4 * BINS, 3)), np.concatenate([bins(side) for side in sides]))
        for role, (weight, bias) in filters.items():
            name = f"{role}_{stride}"
            constants[f"w_{name}"] = np.array(weight, np.float32)[:, :, None, None]
            constants[f"b_{name}"] = np.array(bias, np.float32)
            nodes.append(helper.make_node("Conv", [f"mean_{stride}", f"w_{name}", f"b_{name}"], [name]))
    return nodes


def raw_model(path: Path) -> tuple[Path, list[OutputSpec]]:
    constants: dict[str, Any] = {}
    nodes, roles, outputs = heads(constants), [], []
    for stride in SIDES:
        for role, channels in (("box", 4 * BINS), ("classes", 2)):
            name = f"{role}_{stride}"
            roles.append(OutputSpec.model_validate({"name": name, "role": role, "stride": stride}))
            outputs.append(value(name, FLOAT, (1, channels, HEIGHT // stride, WIDTH // stride)))
    picture = value("picture", FLOAT, (1, 3, HEIGHT, WIDTH))
    return write_graph(path, nodes, [picture], outputs, constants), roles


def concatenated_model(path: Path, cells_first: bool) -> Path:
    """Return the model with decoded boxes in pixels and one output, like an Ultralytics export."""
    constants: dict[str, Any] = {"shape": np.array([1, 2, -1])}
    nodes, cells = heads(constants, boxes=False), []
    for stride, (left, top, right, bottom) in SIDES.items():
        for row in range(HEIGHT // stride):
            for column in range(WIDTH // stride):
                x, y = column + 0.5 + (right - left) / 2, row + 0.5 + (bottom - top) / 2
                cells.append([stride * number for number in (x, y, left + right, top + bottom)])
        nodes.append(helper.make_node("Reshape", [f"classes_{stride}", "shape"], [f"flat_{stride}"]))
    constants["boxes"] = np.array(cells, np.float32).T[None]
    nodes.append(helper.make_node("Concat", [f"flat_{stride}" for stride in SIDES], ["logits"], axis=2))
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
    nodes.append(helper.make_node("Concat", ["boxes", "scores"], ["rows"], axis=1))
    if cells_first:
        nodes.append(helper.make_node("Transpose", ["rows"], ["output"], perm=[0, 2, 1]))
    else:
        nodes.append(helper.make_node("Identity", ["rows"], ["output"]))
    shape = (1, len(cells), 6) if cells_first else (1, 6, len(cells))
    picture = value("picture", FLOAT, (1, 3, HEIGHT, WIDTH))
    return write_graph(path, nodes, [picture], [value("output", FLOAT, shape)], constants)


def load(path: Path, roles: list[OutputSpec]) -> Detector:
    return load_detector(ModelDescription.model_validate(DESCRIPTION), path, "onnx", roles, 1, IOU)


@pytest.fixture(params=["raw", "cells first", "channels first"])
def detector(request: pytest.FixtureRequest, tmp_path: Path) -> Detector:
    path = tmp_path / "squares.onnx"
    if request.param == "raw":
        return load(*raw_model(path))
    return load(concatenated_model(path, request.param == "cells first"), [])


def scene() -> Image:
    """Return red at cell (5, 1) of stride 8, white at (1, 1) of stride 16, and blue, which is no object."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[8:16, 40:48] = (0, 0, WHITE)
    image[16:32, 16:32] = WHITE
    image[0:8, 0:8] = (WHITE, 0, 0)
    return image


def of_cell(column: int, row: int, stride: int) -> list[float]:
    left, top, right, bottom = SIDES[stride]
    x, y = column + 0.5, row + 0.5
    return [stride * value for value in (x - left, y - top, x + right, y + bottom)]


WANTED = [of_cell(5, 1, 8), of_cell(1, 1, 16), *(of_cell(c, r, 8) for r in (2, 3) for c in (2, 3))]


def by_place(found: Detections) -> list[list[float]]:
    return sorted(found.boxes.tolist())


def test_squares_are_found(detector: Detector) -> None:
    found = detector.detect(scene(), detector.allocate(), 0.5)
    clipped = np.clip(WANTED, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    np.testing.assert_allclose(by_place(found), sorted(clipped.tolist()), atol=1e-3)
    assert set(found.classes.tolist()) == {1}
    np.testing.assert_allclose(found.scores, 0.880797, rtol=1e-5)  # sigmoid(12 - 10)


def test_boxes_come_in_pixels_of_a_larger_picture(detector: Detector) -> None:
    image = cv2.resize(scene(), (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST)
    found = detector.detect(np.asarray(image, np.uint8), detector.allocate(), 0.5)
    wanted = 2 * np.clip(WANTED, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    np.testing.assert_allclose(by_place(found), sorted(wanted.tolist()), atol=2e-3)


def test_the_padding_of_a_centred_picture_is_taken_off(detector: Detector) -> None:
    image = np.zeros((HEIGHT, HEIGHT, 3), np.uint8)  # lies at column 16 of the input
    image[8:16, 8:16] = WHITE  # cell (3, 1) of stride 8
    found = detector.detect(image, detector.allocate(), 0.5)
    box = np.array(of_cell(3, 1, 8)) - [16, 0, 16, 0]
    np.testing.assert_allclose(found.boxes, [np.clip(box, 0, HEIGHT)], atol=1e-3)


def test_a_black_picture_holds_nothing(detector: Detector) -> None:
    assert len(detector.detect(np.zeros_like(scene()), detector.allocate(), 0.5)) == 0


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    path, roles = raw_model(tmp_path / "squares.onnx")
    with pytest.raises(BundleError, match="has 4 outputs, needs 1"):
        load(path, [])
    with pytest.raises(BundleError, match="needs the outputs box, classes once for each"):
        load(path, roles[:2])
