"""Masks of objects: prototypes and coefficients in every layout and grid, and their place in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgeagent.accuracy.instance_accuracy import encode_outlines
from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.detection.frame_parts import Crop
from edgeagent.detection.golden_masks import filled
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.imaging.letterbox import fit_size
from edgeagent.vision.decoder import build_decoder
from edgeagent.vision.detections import Detections
from edgeagent.vision.discard import not_finite
from edgeagent.vision.masks import FloatArray, Mask, Prototypes
from edgeagent.vision.preprocessor import to_picture
from tests.vision.raw_heads import CLASSES, SIZE, STRIDES, RawHeads, random_heads

COEFFICIENTS, CELL = 6, 4
ROWS, COLUMNS = SIZE[1] // CELL, SIZE[0] // CELL
GRID = (0.03, 120)
FAMILIES = {
    "yolox": {"box": 4, "objectness": 1, "classes": CLASSES},
    "yolov8": {"box": 4, "classes": CLASSES},
}


def with_prototypes(family: str, layout: str, quantized: bool, seed: int) -> RawHeads:
    """Random heads of a family with coefficients, and prototypes as the second output."""
    heads = random_heads({**FAMILIES[family], "mask": COEFFICIENTS}, layout, quantized, seed)
    shape = (1, COEFFICIENTS, ROWS, COLUMNS) if layout == "nchw" else (1, ROWS, COLUMNS, COEFFICIENTS)
    random = np.random.default_rng(seed)
    if quantized:
        tensor = TensorSpec("prototypes", shape, np.dtype(np.uint8), *GRID)
        output: Array = random.integers(0, 256, shape, np.uint8)
    else:
        tensor = TensorSpec("prototypes", shape, np.dtype(np.float32))
        output = random.normal(0, 1, shape).astype(np.float32)
    heads.tensors.insert(1, tensor)
    heads.outputs.insert(1, output)
    heads.roles.insert(1, OutputSpec(name="prototypes", role="prototypes", stride=CELL))
    return heads


def decoded(family: str, heads: RawHeads, threshold: float = 0.6) -> Detections:
    spec = DecoderSpec.model_validate({"family": family, "strides": STRIDES, "reg_max": 1})
    decoder = build_decoder(spec, heads.tensors, heads.roles, SIZE, CLASSES, 0.5)
    return decoder.decode(heads.outputs, threshold)


def interpolated(mask: Mask, prototypes: FloatArray) -> FloatArray:
    """Logits of all pixels of the input, by plain loops."""
    logits = prototypes @ mask.coefficients
    found = np.zeros((SIZE[1], SIZE[0]), np.float32)
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            row = min(max((y + 0.5) / CELL - 0.5, 0), ROWS - 1)
            column = min(max((x + 0.5) / CELL - 0.5, 0), COLUMNS - 1)
            top, left = min(int(row), ROWS - 2), min(int(column), COLUMNS - 2)
            down, across = row - top, column - left
            upper = logits[top, left] * (1 - across) + logits[top, left + 1] * across
            lower = logits[top + 1, left] * (1 - across) + logits[top + 1, left + 1] * across
            found[y, x] = upper * (1 - down) + lower * down
    return found


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_mask_is_the_product_of_prototypes_and_coefficients_in_its_box(
    family: str, layout: str, quantized: bool
) -> None:
    heads = with_prototypes(family, layout, quantized, 4)
    found = decoded(family, heads)
    assert len(found.masks) == len(found)
    real = heads.tensors[1].dequantize(heads.outputs[1][0])
    prototypes = real.transpose(1, 2, 0) if layout == "nchw" else real
    checked = 0
    for one in found:
        assert one.mask is not None
        x1, y1, x2, y2 = np.clip(np.round(one.box), 0, [*SIZE, *SIZE]).astype(int)
        if x2 <= x1 or y2 <= y1:
            continue  # random heads give boxes without an area, too
        mask, wanted = one.mask.in_picture(), interpolated(one.mask, prototypes)
        outside = np.ones_like(mask)
        outside[y1:y2, x1:x2] = False
        assert not mask[outside].any()
        sure = (np.abs(wanted) > 0.05 * np.abs(wanted).max()) & ~outside
        assert ((wanted > 0) == mask)[sure].all()
        checked += int(sure.sum())
    assert checked > 100


@pytest.mark.parametrize("family", list(FAMILIES))
def test_coefficients_are_those_of_the_cell_of_the_box(family: str) -> None:
    """The best cell of a scale, found by plain reading, has the coefficients of the first object."""
    heads = with_prototypes(family, "nchw", False, 9)
    found = decoded(family, heads, 0.01)
    rows = [
        (stride, row, column)
        for stride in STRIDES
        for row in range(SIZE[1] // stride)
        for column in range(SIZE[0] // stride)
    ]
    own = [
        [heads.read(stride, "mask", channel, row, column) for channel in range(COEFFICIENTS)]
        for stride, row, column in rows
    ]
    for mask in found.masks:
        assert np.isclose(np.array(own), mask.coefficients).all(axis=1).any()
    assert len({tuple(mask.coefficients.tolist()) for mask in found.masks}) == len(found)


def test_the_engine_may_write_the_next_picture() -> None:
    heads = with_prototypes("yolox", "nchw", True, 4)
    found = decoded("yolox", heads)
    before = [mask.in_picture() for mask in found.masks]
    for output in heads.outputs:
        output[...] = 0
    assert all((one == mask.in_picture()).all() for one, mask in zip(before, found.masks, strict=True))


def test_nothing_found_has_no_masks() -> None:
    found = decoded("yolov8", with_prototypes("yolov8", "nchw", False, 4), 0.9999)
    assert (len(found), found.masks, found.coefficients) == (0, (), None)


def test_prototypes_that_are_not_finite_are_refused() -> None:
    heads = with_prototypes("yolov8", "nchw", False, 4)
    heads.outputs[1][0, 0, 0, 0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        decoded("yolov8", heads)


def left_half(box: Sequence[float]) -> Mask:
    """Mask of the left half of an input of 64 x 32 pixels, within a box."""
    codes = np.full((ROWS, COLUMNS, 1), -1, np.float32)
    codes[:, : COLUMNS // 2] = 1
    prototypes = Prototypes(codes, TensorSpec("p", (1, ROWS, COLUMNS, 1), codes.dtype))
    x1, y1, x2, y2 = box
    return Mask(
        np.ones(1, np.float32), prototypes, (x1, y1, x2, y2), (CELL, CELL), (0, 0), (SIZE[1], SIZE[0])
    )


def one_object(mask: Mask) -> Detections:
    return replace(
        Detections(np.array([mask.box], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32)),
        masks=(mask,),
    )


def test_a_mask_ends_where_its_box_ends() -> None:
    mask = left_half((10, 6, 50, 20)).in_picture()
    assert mask[6:20, 10:32].all()
    assert mask.sum() == 14 * 22


@pytest.mark.parametrize("box", [(-20, -9, 200, 90), (0, 0, 64, 32)])
def test_a_box_beyond_the_picture_is_cut(box: tuple[float, ...]) -> None:
    assert left_half(box).in_picture().sum() == 32 * 32


@pytest.mark.parametrize("box", [(5.2, 5.2, 5.3, 5.3), (70, 40, 80, 50), (-9, -9, -3, -3)])
def test_a_box_without_a_pixel_has_one(box: tuple[float, ...]) -> None:
    inner, left, top = left_half(box).in_box()
    assert inner.shape == (1, 1)
    assert 0 <= left < SIZE[0] and 0 <= top < SIZE[1]


@pytest.mark.parametrize("anchor", ["top-left", "centre"])
def test_masks_are_placed_with_their_boxes(anchor: str) -> None:
    """A square picture of 128 pixels is 32 in the input; its right edge is left of the middle, or on it."""
    fit = fit_size((128, 128), (SIZE[1], SIZE[0]), "centre" if anchor == "centre" else "top-left")
    found = to_picture(one_object(left_half((0, 4, 64, 28))), fit)
    assert found.boxes.tolist() == [[0, 16, 128, 112]]
    mask = found.masks[0].in_picture()
    assert mask.shape == (128, 128)
    wanted = 128 if anchor == "top-left" else 64  # the middle of the input in the picture
    assert mask[16:112, :wanted].all()
    assert mask.sum() == 96 * wanted


def test_objects_outside_of_the_picture_lose_their_masks() -> None:
    fit = fit_size((128, 128), (SIZE[1], SIZE[0]), "top-left")
    both = Detections.join([one_object(left_half((40, 4, 60, 28))), one_object(left_half((4, 4, 20, 28)))])
    found = to_picture(both, fit)
    assert len(found) == len(found.masks) == 1
    assert found.masks[0].box == tuple(found.boxes[0].tolist())


def test_masks_of_a_region_lie_in_the_frame() -> None:
    found = one_object(left_half((0, 0, 64, 32)))
    moved = Crop(100, 50, 164, 82).to_frame(found, Crop(0, 0, 300, 200))
    mask = moved.masks[0].in_picture()
    assert mask.shape == (200, 300)
    assert mask[50:82, 100:132].all()
    assert mask.sum() == 32 * 32


def test_masks_go_with_what_is_taken_joined_and_named() -> None:
    masks = [left_half((0, 0, 10 * n, 20)) for n in (1, 2, 3)]
    all_three = Detections.join([one_object(mask) for mask in masks])
    assert all_three.masks == tuple(masks)
    assert all_three.take(np.array([2, 0])).masks == (masks[2], masks[0])
    assert all_three.take(np.array([False, True, False])).masks == (masks[1],)
    assert all_three.take(slice(1)).masks == (masks[0],)
    assert all_three.named(["disc"]).masks == tuple(masks)
    assert [one.mask for one in all_three] == masks
    plain = replace(one_object(masks[0]), masks=())
    assert Detections.join([all_three, Detections.empty()]).masks == tuple(masks)
    assert Detections.join([all_three, plain]).masks == ()


def test_supervision_gets_the_masks() -> None:
    mask = left_half((10, 6, 50, 20))
    given = one_object(mask).named(["disc"]).to_supervision()
    assert given.mask is not None
    assert given.mask.shape == (1, SIZE[1], SIZE[0])
    assert (given.mask[0] == mask.in_picture()).all()
    assert replace(one_object(mask), masks=()).named(["disc"]).to_supervision().mask is None


def test_an_outline_goes_around_the_pixels() -> None:
    corners = left_half((10, 6, 50, 20)).outline()
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([10.25, 6.25], [31.75, 19.75])
    empty = left_half((40, 6, 50, 20))
    assert not empty.in_picture().any()
    assert empty.outline().tolist() == [[40, 6], [50, 6], [50, 20], [40, 20]]


@pytest.mark.parametrize("radius", [1.5, 4, 9.3])
def test_the_outline_has_the_pixels_of_its_mask(radius: float) -> None:
    """For COCO, too: what a model finds becomes labels, with which it must agree itself."""
    row, column = np.indices((SIZE[1], SIZE[0])) + 0.5
    codes = (radius - np.hypot(row - 16, column - 20)).astype(np.float32)[:, :, None]
    tensor = TensorSpec("p", (1, *codes.shape), codes.dtype)
    mask = Mask(
        np.ones(1, np.float32), Prototypes(codes, tensor), (0, 0, *SIZE), (1, 1), (0, 0), (SIZE[1], SIZE[0])
    )
    shares = (mask.outline() / SIZE).astype(np.float32)
    assert (filled(shares, mask.size) == mask.in_picture()).all()
    coco = pytest.importorskip("pycocotools.mask")
    assert (coco.decode(encode_outlines([shares], SIZE)[0]) == mask.in_picture()).all()


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_objects_whose_coefficients_are_not_finite_are_left_out(family: str, number: float) -> None:
    heads = with_prototypes(family, "nchw", False, 4)
    before, counted = len(decoded(family, heads)), not_finite.count
    for output, item in zip(heads.outputs, heads.roles, strict=True):
        if item.role == "mask":
            output[...] = number
    assert before > 0
    assert len(decoded(family, heads)) == 0
    assert not_finite.count > counted


def test_coefficients_are_joined_where_all_objects_have_some() -> None:
    plain = one_object(left_half((0, 0, 10, 20)))
    given = replace(plain, masks=(), coefficients=np.ones((1, 3), np.float32))
    joined = Detections.join([given, Detections.empty()])
    assert joined.coefficients is not None
    assert joined.coefficients.shape == (1, 3)
    assert Detections.join([given, plain]).coefficients is None
