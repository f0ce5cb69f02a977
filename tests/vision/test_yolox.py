"""YOLOX decoders, compared with plain loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder import Decoder, build_decoder
from edgeagent.vision.detections import Detections
from tests.vision import slow
from tests.vision.raw_heads import CELLS, CLASSES, SIZE, STRIDES, RawHeads, random_heads

CHANNELS = {"box": 4, "objectness": 1, "classes": CLASSES}
SPEC = DecoderSpec(family="yolox", strides=STRIDES)
SCORE, IOU = 0.3, 0.5
LAYOUTS = pytest.mark.parametrize("layout", ["nchw", "nhwc"])
GRIDS = pytest.mark.parametrize("quantized", [False, True], ids=["float", "uint8"])
Reading = Callable[[int, str, int, int, int], float]


def decoder(heads: RawHeads, iou: float = IOU) -> Decoder:
    return build_decoder(SPEC, heads.tensors, heads.roles, SIZE, CLASSES, iou)


def plain(read: Reading, score: float = SCORE, activated: bool = False, iou: float = IOU) -> list[slow.Found]:
    return slow.suppress(slow.yolox(read, STRIDES, SIZE, CLASSES, score, activated), iou)


@LAYOUTS
@GRIDS
@pytest.mark.parametrize("seed", range(5))
def test_raw_heads(layout: str, quantized: bool, seed: int) -> None:
    heads = random_heads(CHANNELS, layout, quantized, seed)
    wanted = plain(heads.read)
    assert 3 < len(wanted) < CELLS
    slow.assert_same(decoder(heads).decode(heads.outputs, SCORE), wanted)


@LAYOUTS
@GRIDS
def test_overlapping_boxes_are_suppressed(layout: str, quantized: bool) -> None:
    heads = random_heads(CHANNELS, layout, quantized, 7)
    strict, lenient = (decoder(heads, iou).decode(heads.outputs, 0.1) for iou in (0.02, 1.0))
    assert 0 < len(strict) < len(lenient)
    slow.assert_same(strict, plain(heads.read, 0.1, iou=0.02))
    assert (np.diff(strict.scores) <= 0).all()


@GRIDS
@pytest.mark.parametrize("score", [0.0, 0.05, 0.5, 0.9])
def test_every_score_threshold(quantized: bool, score: float) -> None:
    heads = random_heads(CHANNELS, "nhwc", quantized, 2)
    found = decoder(heads, 1.0).decode(heads.outputs, score)
    slow.assert_same(found, plain(heads.read, score, iou=1.0))
    assert (found.scores >= score).all()
    assert (score == 0) == (len(found) == CELLS)


@GRIDS
def test_no_score_reaches_threshold_1(quantized: bool) -> None:
    heads = random_heads(CHANNELS, "nchw", quantized, 2)
    found = decoder(heads).decode(heads.outputs, 1.0)
    assert (len(found), found.boxes.shape) == (0, (0, 4))


def test_a_likely_class_without_an_object_is_not_reported() -> None:
    heads = random_heads(CHANNELS, "nchw", False, 2)
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        output[...] = {"objectness": -0.9, "classes": 9.0, "box": 0.0}[role.role]
    assert len(decoder(heads).decode(heads.outputs, 0.3)) == 0
    assert len(decoder(heads, 1.0).decode(heads.outputs, 0.28)) == CELLS  # sigmoid(-0.9) is .289


def test_one_cell_by_hand() -> None:
    """Stride 16, column 2, row 1: centre (2.25, 1.5) * 16, size (2, .5) * 16, scores of logit 2 and 1."""
    heads = random_heads(CHANNELS, "nchw", False, 0)
    values = {"box": (0.25, 0.5, np.log(2), np.log(0.5)), "objectness": (2.0,), "classes": (-3.0, -1.0, 1.0)}
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        output[...] = -10
        if role.stride == 16:
            output[0, :, 1, 2] = values[role.role]
    found = decoder(heads).decode(heads.outputs, 0.5)
    np.testing.assert_allclose(found.boxes, [[20, 20, 52, 28]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.880797 * 0.731059], rtol=1e-5)
    assert found.classes.tolist() == [2]


def concatenated(activated: RawHeads, decoded: bool) -> Any:
    """Return (cells, 5 + classes) float64, like an export that ends in a concatenation."""
    rows = []
    for stride in STRIDES:
        for row in range(SIZE[1] // stride):
            for column in range(SIZE[0] // stride):
                box = [activated.read(stride, "box", k, row, column) for k in range(4)]
                if decoded:
                    box = [
                        (box[0] + column) * stride,
                        (box[1] + row) * stride,
                        np.exp(box[2]) * stride,
                        np.exp(box[3]) * stride,
                    ]
                logits = [activated.read(stride, "objectness", 0, row, column)]
                logits += [activated.read(stride, "classes", k, row, column) for k in range(CLASSES)]
                rows.append(box + [slow.sigmoid(logit) for logit in logits])
    return np.array(rows)


def decode_concatenated(rows: Any, decoded: bool, cells_first: bool, score: float = SCORE) -> Detections:
    output: Array = (rows if cells_first else rows.T)[None]
    spec = SPEC.model_copy(update={"boxes": "decoded" if decoded else "raw"})
    tensor = TensorSpec("output", output.shape, np.dtype(np.float32))
    return build_decoder(spec, [tensor], [], SIZE, CLASSES, IOU).decode([output.astype(np.float32)], score)


@pytest.mark.parametrize("cells_first", [True, False], ids=["cells first", "channels first"])
@pytest.mark.parametrize("decoded", [False, True], ids=["raw boxes", "decoded boxes"])
@pytest.mark.parametrize("seed", range(3))
def test_one_concatenated_output(cells_first: bool, decoded: bool, seed: int) -> None:
    heads = random_heads(CHANNELS, "nchw", False, seed)
    found = decode_concatenated(concatenated(heads, decoded), decoded, cells_first)
    wanted = plain(heads.read)
    assert len(wanted) > 3
    slow.assert_same(found, wanted)


def test_a_concatenated_output_on_a_grid() -> None:
    """Boxes and scores share one grid, as after a converter without separate outputs."""
    scale, zero_point = 1 / 32, 128
    codes = np.random.default_rng(5).integers(64, 192, (CELLS, 5 + CLASSES), np.uint8)
    codes[:, 4:] = np.clip(codes[:, 4:], 128, 160)  # 0..1
    tensor = TensorSpec("output", (1, CELLS, 5 + CLASSES), np.dtype(np.uint8), scale, zero_point)
    found = build_decoder(SPEC, [tensor], [], SIZE, CLASSES, IOU).decode([codes[None]], SCORE)
    starts = {8: 0, 16: SIZE[0] * SIZE[1] // 64}
    first = {"box": 0, "objectness": 4, "classes": 5}

    def read(stride: int, role: str, channel: int, row: int, column: int) -> float:
        cell = starts[stride] + row * (SIZE[0] // stride) + column
        return (int(codes[cell, first[role] + channel]) - zero_point) * scale

    wanted = plain(read, activated=True)
    assert len(wanted) > 3
    slow.assert_same(found, wanted)


def test_no_cell_of_a_concatenated_output() -> None:
    rows = np.zeros((CELLS, 5 + CLASSES))
    assert len(decode_concatenated(rows, False, True)) == 0
    rows[:, 4] = 1  # an object of no class
    assert len(decode_concatenated(rows, False, True)) == 0
