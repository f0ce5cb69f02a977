"""Published detectors on photos, from the file to boxes in picture pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.model_description import describe_model
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.imaging.picture import read_picture
from tests.data import shared
from tests.vision import slow

pytestmark = pytest.mark.data

DESCRIPTION = Path(__file__).parents[2] / "models" / "yolox-nano.yaml"
SSD: dict[str, Any] = {
    "name": "ssd",
    "version": "1.0.0",
    "task": "detection",
    "labels": [f"id {number}" for number in range(1, 91)],
    "input": {
        "width": 300,
        "height": 300,
        "layout": "nhwc",
        "colour": "rgb",
        "mean": [128, 128, 128],
        "std": [128, 128, 128],
        "letterbox": None,
    },
    "decoder": {"family": "ssd"},
    "licence": "Apache-2.0",
    "attribution": "TensorFlow",
}
BUS, FRIDGE = "000000002006", "000000000802"  # landscape and portrait
OBJECTS = {BUS: (46.0, 81.0, 609.0, 426.0), FRIDGE: (245.0, 185.0, 411.0, 541.0)}


def yolox() -> Detector:
    path = shared("models", "yolox_nano.onnx")
    return load_detector(describe_model(path, DESCRIPTION), path, "onnx", (), 1, 0.45)


def ssd() -> Detector:
    pytest.importorskip("ai_edge_litert", reason="needs a TFLite package")
    path = shared("models", "ssd_mobilenet_v1_coco_quant_uint8.tflite")
    return load_detector(ModelDescription.model_validate(SSD), path, "tflite", (), 1, 0.45)


def photo(stem: str) -> Any:
    return read_picture(shared("data", "coco", "images", "val", f"{stem}.jpg"))


@pytest.mark.parametrize(
    ("load", "stem", "index"),
    [(yolox, BUS, 5), (yolox, FRIDGE, 72), (ssd, BUS, 5), (ssd, FRIDGE, 81)],
    ids=["yolox bus", "yolox refrigerator", "ssd bus", "ssd refrigerator"],
)
def test_the_large_object_of_a_photo_is_found(load: Any, stem: str, index: int) -> None:
    detector, picture = load(), photo(stem)
    found = detector.detect(picture, detector.allocate(), 0.6)
    (box,) = found.boxes[found.classes == index].tolist()
    assert slow.iou(tuple(box), OBJECTS[stem]) > 0.85
    height, width = picture.shape[:2]
    assert found.boxes.min() >= 0
    assert (found.boxes.max(axis=0) <= [width, height, width, height]).all()
    assert (found.scores >= 0.6).all()


@pytest.mark.parametrize("stem", [BUS, FRIDGE])
def test_yolox_finds_what_a_plain_session_and_plain_loops_find(stem: str) -> None:
    picture = photo(stem)
    height, width = picture.shape[:2]
    ratio = min(416 / height, 416 / width)
    canvas = np.full((416, 416, 3), 114, np.uint8)
    small = cv2.resize(picture, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
    canvas[: small.shape[0], : small.shape[1]] = small
    session = onnxruntime.InferenceSession(str(shared("models", "yolox_nano.onnx")))
    tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32)
    (output,) = session.run(None, {session.get_inputs()[0].name: tensor})
    rows = np.asarray(output)[0]
    starts = {8: 0, 16: 52 * 52, 32: 52 * 52 + 26 * 26}
    first = {"box": 0, "objectness": 4, "classes": 5}

    def read(stride: int, role: str, channel: int, row: int, column: int) -> float:
        return float(rows[starts[stride] + row * (416 // stride) + column, first[role] + channel])

    candidates = slow.yolox(read, (8, 16, 32), (416, 416), 80, 0.3, activated=True)
    wanted = []
    for box, score, label in slow.suppress(candidates, 0.45):
        x1, x2 = (min(max(x * width / small.shape[1], 0), width) for x in box[0::2])
        y1, y2 = (min(max(y * height / small.shape[0], 0), height) for y in box[1::2])
        wanted.append(slow.Found((x1, y1, x2, y2), score, label))
    assert len(candidates) > len(wanted) >= 2
    detector = yolox()
    slow.assert_same(detector.detect(picture, detector.allocate(), 0.3), wanted, 1e-3)
