"""YOLOv8 and YOLO11 decoders, compared with plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.vision.decoder import Decoder, build_decoder
from edgeagent.vision.detections import Detections
from tests.vision import slow
from tests.vision.raw_heads import CELLS, CLASSES, SIZE, STRIDES, RawHeads, random_heads

SCORE, IOU = 0.6, 0.5
LAYOUTS = pytest.mark.parametrize("layout", ["nchw", "nhwc"])
GRIDS = pytest.mark.parametrize("quantized", [False, True], ids=["float", "uint8"])
BINS = pytest.mark.parametrize("bins", [16, 8, 1], ids=["16 bins", "8 bins", "distances"])


def random(bins: int, layout: str, quantized: bool, seed: int) -> RawHeads:
    heads = random_heads({"box": 4 * bins, "classes": CLASSES}, layout, quantized, seed)
    if bins == 1 and not quantized:  # distances are positive in a trained model
        for role, output in zip(heads.roles, heads.outputs, strict=True):
            output[...] = np.abs(output) if role.role == "box" else output
    if bins == 1 and quantized:
        for role, output in zip(heads.roles, heads.outputs, strict=True):
            output[...] = np.maximum(output, 120) if role.role == "box" else output
    return heads


def decoder(heads: RawHeads, bins: int, iou: float = IOU) -> Decoder:
    spec = DecoderSpec(family="yolov8", strides=STRIDES, reg_max=bins)
    return build_decoder(spec, heads.tensors, heads.roles, SIZE, CLASSES, iou)


def plain(heads: RawHeads, bins: int, score: float = SCORE, iou: float = IOU) -> list[slow.Found]:
    return slow.suppress(slow.yolov8(heads.read, STRIDES, SIZE, CLASSES, score, bins), iou)


@LAYOUTS
@GRIDS
@BINS
@pytest.mark.parametrize("seed", range(3))
def test_raw_heads(layout: str, quantized: bool, bins: int, seed: int) -> None:
    heads = random(bins, layout, quantized, seed)
    wanted = plain(heads, bins)
    assert 3 < len(wanted) < CELLS
    slow.assert_same(decoder(heads, bins).decode(heads.outputs, SCORE), wanted)


@GRIDS
@pytest.mark.parametrize("score", [0.0, 0.5, 0.85])
def test_every_score_threshold(quantized: bool, score: float) -> None:
    heads = random(16, "nhwc", quantized, 4)
    found = decoder(heads, 16, 1.0).decode(heads.outputs, score)
    slow.assert_same(found, plain(heads, 16, score, 1.0))
    assert (score == 0) == (len(found) == CELLS)
    assert len(found) > 0


@GRIDS
def test_no_score_reaches_threshold_1(quantized: bool) -> None:
    heads = random(16, "nchw", quantized, 4)
    found = decoder(heads, 16).decode(heads.outputs, 1.0)
    assert (len(found), found.boxes.shape) == (0, (0, 4))


def test_overlapping_boxes_are_suppressed() -> None:
    heads = random(16, "nchw", False, 1)
    strict, lenient = (decoder(heads, 16, iou).decode(heads.outputs, 0.3) for iou in (0.1, 1.0))
    assert 0 < len(strict) < len(lenient)
    slow.assert_same(strict, plain(heads, 16, 0.3, 0.1))


def test_large_bins_do_not_overflow() -> None:
    heads = random(16, "nchw", False, 1)
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        output[...] = -9
        if role.stride == 8:
            output[0, :, 2, 3] = 9
        if role.role == "box":
            output[0, 2::16] = 500  # exp(500) overflows; the distance is the position of this bin
    found = decoder(heads, 16).decode(heads.outputs, 0.5)
    np.testing.assert_allclose(found.boxes, [[12, 4, 44, 36]])  # 2 cells about (3.5, 2.5) * 8


def concatenated(heads: RawHeads, bins: int) -> Any:
    """Return (cells, 4 + classes) float64: centre and size in pixels, then scores."""
    cells = slow.yolov8(heads.read, STRIDES, SIZE, CLASSES, 0.0, bins)
    rows = []
    places = [(s, r, c) for s in STRIDES for r in range(SIZE[1] // s) for c in range(SIZE[0] // s)]
    for (x1, y1, x2, y2), (stride, row, column) in zip((cell.box for cell in cells), places, strict=True):
        logits = [heads.read(stride, "classes", k, row, column) for k in range(CLASSES)]
        rows.append([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, *map(slow.sigmoid, logits)])
    return np.array(rows)


def decode_concatenated(rows: Any, cells_first: bool, grid: tuple[float, int] | None = None) -> Detections:
    output = (rows if cells_first else rows.T)[None]
    tensor = TensorSpec("output", output.shape, output.dtype, *(grid or (None, 0)))
    spec = DecoderSpec(family="yolov8", strides=STRIDES)
    return build_decoder(spec, [tensor], [], SIZE, CLASSES, IOU).decode([output], SCORE)


ORDERS = pytest.mark.parametrize("cells_first", [True, False], ids=["cells first", "channels first"])


@ORDERS
@pytest.mark.parametrize("seed", range(3))
def test_one_concatenated_output(cells_first: bool, seed: int) -> None:
    heads = random(16, "nchw", False, seed)
    found = decode_concatenated(concatenated(heads, 16).astype(np.float32), cells_first)
    slow.assert_same(found, plain(heads, 16))


@ORDERS
def test_a_concatenated_output_on_a_grid(cells_first: bool) -> None:
    scale = 1 / 4
    codes = np.random.default_rng(5).integers(0, 256, (CELLS, 4 + CLASSES), np.uint8)
    codes[:, :2] = codes[:, :2] // 8 + 60  # close together, so boxes overlap
    codes[:, 4:] = np.random.default_rng(6).choice([0, 0, 0, 1, 2, 3, 4], (CELLS, CLASSES))
    found = decode_concatenated(codes, cells_first, (scale, 0))
    candidates = []
    for row in codes.tolist():
        x, y, w, h = (scale * code for code in row[:4])
        best = row.index(max(row[4:]), 4)
        if scale * row[best] >= SCORE:
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            candidates.append(slow.Found(box, scale * row[best], best - 4))
    wanted = slow.suppress(candidates, IOU)
    assert 3 < len(wanted) < len(candidates)
    slow.assert_same(found, wanted)


def test_no_cell_of_a_concatenated_output() -> None:
    assert len(decode_concatenated(np.zeros((CELLS, 4 + CLASSES), np.float32), True)) == 0
