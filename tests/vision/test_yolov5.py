"""YOLOv5 and YOLOv7 decoders, compared with plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeagent.bundle.anchors import COCO_ANCHORS
from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.decoder import Decoder, build_decoder
from edgeagent.vision.detections import Detections
from tests.vision import slow
from tests.vision.raw_heads import CLASSES, SIZE, STRIDES, RawHeads, random_heads

SCORE, IOU = 0.4, 0.5
ANCHORS = {8: ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)), 16: ((30.0, 61.0), (62.0, 45.0), (59.0, 19.0))}
BOXES = sum(3 * SIZE[0] * SIZE[1] // stride**2 for stride in STRIDES)
LAYOUTS = pytest.mark.parametrize("layout", ["nchw", "nhwc"])
GRIDS = pytest.mark.parametrize("quantized", [False, True], ids=["float", "uint8"])


def spec(boxes: str = "raw", **more: Any) -> DecoderSpec:
    anchors = [list(map(list, ANCHORS[stride])) for stride in STRIDES]
    return DecoderSpec.model_validate(
        {"family": "yolov5", "strides": STRIDES, "anchors": anchors, "boxes": boxes, **more}
    )


def random(layout: str, quantized: bool, seed: int, classes: int = CLASSES) -> RawHeads:
    return random_heads({"box": 12, "objectness": 3, "classes": 3 * classes}, layout, quantized, seed)


def decoder(heads: RawHeads, iou: float = IOU, classes: int = CLASSES) -> Decoder:
    return build_decoder(spec(), heads.tensors, heads.roles, SIZE, classes, iou)


def plain(heads: RawHeads, score: float = SCORE, classes: int = CLASSES) -> list[slow.Found]:
    return slow.yolov5(heads.read, ANCHORS, SIZE, classes, score)


@LAYOUTS
@GRIDS
@pytest.mark.parametrize("seed", range(3))
def test_raw_heads(layout: str, quantized: bool, seed: int) -> None:
    heads = random(layout, quantized, seed)
    candidates = plain(heads)
    wanted = slow.suppress(candidates, IOU)
    assert 3 < len(wanted) <= len(candidates) < BOXES
    slow.assert_same(decoder(heads).decode(heads.outputs, SCORE), wanted)


@LAYOUTS
def test_one_class(layout: str) -> None:
    heads = random(layout, False, 3, classes=1)
    wanted = slow.suppress(plain(heads, classes=1), IOU)
    assert len(wanted) > 3
    slow.assert_same(decoder(heads, classes=1).decode(heads.outputs, SCORE), wanted)


@GRIDS
@pytest.mark.parametrize("score", [0.0, 0.3, 0.7])
def test_every_score_threshold(quantized: bool, score: float) -> None:
    heads = random("nhwc", quantized, 4)
    found = decoder(heads, 1.0).decode(heads.outputs, score)
    slow.assert_same(found, plain(heads, score))
    assert (score == 0) == (len(found) == BOXES)
    assert len(found) > 0


def test_no_score_reaches_threshold_1() -> None:
    heads = random("nchw", False, 4)
    assert len(decoder(heads).decode(heads.outputs, 1.0)) == 0


def test_large_numbers_do_not_overflow() -> None:
    heads = random("nchw", False, 1)
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        output[...] = -900
        if role.stride == 8 and role.role == "box":
            output[0, 4:8, 2, 3] = 900  # the second anchor of cell (3, 2): 4 anchors wide and high
        elif role.stride == 8:
            count = CLASSES if role.role == "classes" else 1
            output[0, count : 2 * count, 2, 3] = 900
    found = decoder(heads).decode(heads.outputs, 0.5)
    x, y, (width, height) = (2 - 0.5 + 3) * 8, (2 - 0.5 + 2) * 8, ANCHORS[8][1]
    np.testing.assert_allclose(found.boxes, [[x - 2 * width, y - 2 * height, x + 2 * width, y + 2 * height]])


def concatenated(heads: RawHeads, unit: tuple[float, float]) -> Any:
    """Return (boxes, 5 + classes) float32 in the order of an export: stride, anchor, row, column."""
    rows = []
    for stride, sizes in ANCHORS.items():
        for number, (width, height) in enumerate(sizes):
            for row in range(SIZE[1] // stride):
                for column in range(SIZE[0] // stride):
                    x, y, w, h = (
                        slow.sigmoid(heads.read(stride, "box", 4 * number + k, row, column)) for k in range(4)
                    )
                    scores = [heads.read(stride, "objectness", number, row, column)] + [
                        heads.read(stride, "classes", number * CLASSES + k, row, column)
                        for k in range(CLASSES)
                    ]
                    centre = (2 * x - 0.5 + column) * stride / unit[0], (2 * y - 0.5 + row) * stride / unit[1]
                    size = (2 * w) ** 2 * width / unit[0], (2 * h) ** 2 * height / unit[1]
                    rows.append([*centre, *size, *map(slow.sigmoid, scores)])
    return np.array(rows, np.float32)


def decode_concatenated(rows: Any, boxes_first: bool, boxes: str) -> Detections:
    output = (rows if boxes_first else rows.T)[None]
    tensor = TensorSpec("output", output.shape, output.dtype)
    return build_decoder(spec(boxes), [tensor], [], SIZE, CLASSES, IOU).decode([output], SCORE)


@pytest.mark.parametrize("boxes_first", [True, False], ids=["boxes first", "channels first"])
@pytest.mark.parametrize("boxes", ["raw", "decoded", "shares"])
def test_one_concatenated_output(boxes_first: bool, boxes: str) -> None:
    heads = random("nchw", False, 2)
    rows = concatenated(heads, SIZE if boxes == "shares" else (1, 1))
    slow.assert_same(decode_concatenated(rows, boxes_first, boxes), slow.suppress(plain(heads), IOU))


def test_a_concatenated_output_on_a_grid() -> None:
    """The INT8 TFLite export: boxes and scores share one grid, boxes are shares of the input."""
    scale, zero = 1 / 200, 2
    codes = np.random.default_rng(5).integers(2, 202, (1, BOXES, 5 + CLASSES), np.uint8)
    tensor = TensorSpec("output", codes.shape, codes.dtype, scale, zero)
    found = build_decoder(spec("shares"), [tensor], [], SIZE, CLASSES, 1.0).decode([codes], SCORE)
    candidates = []
    for row in slow.reals(codes[0], scale, zero).tolist():
        best = row.index(max(row[5:]), 5)
        if row[4] * row[best] >= SCORE:
            x, y, w, h = (number * SIZE[place % 2] for place, number in enumerate(row[:4]))
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            candidates.append(slow.Found(box, row[4] * row[best], best - 5))
    assert 3 < len(candidates) < BOXES
    assert len(found) == len(candidates)
    np.testing.assert_allclose(sorted(found.scores), sorted(one.score for one in candidates), atol=1e-5)
    np.testing.assert_allclose(
        np.sort(found.boxes.sum(axis=1)), sorted(sum(one.box) for one in candidates), atol=1e-3
    )


def test_logits_in_a_concatenated_output_are_refused() -> None:
    rows = np.full((BOXES, 5 + CLASSES), 3, np.float32)
    with pytest.raises(EngineError, match="gives the score 3"):
        decode_concatenated(rows, True, "decoded")


def test_default_anchors_are_those_of_coco() -> None:
    assert DecoderSpec(family="yolov5").anchors_by_stride() == COCO_ANCHORS
    assert DecoderSpec(family="yolov8").anchors_by_stride() == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"anchors": None}, "anchors are needed for the strides 8, 16"),
        ({"anchors": [[[10, 13]]]}, "anchors: 1 lists for 2 strides"),
        ({"anchors": [[[10, 13]], []]}, "anchors: 2 lists for 2 strides"),
        ({"anchors": [[[10, 0]], [[1, 1]]]}, "greater than 0"),
    ],
)
def test_anchors_that_do_not_fit_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        spec(**changes)
