"""Conversion of boxes between picture and input pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeagent.bundle.manifest import InputSpec, Letterbox
from edgeagent.engines.engine import TensorSpec
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import Preprocessor, fit_picture, to_picture

LENGTH = st.integers(1, 5000)
PLACING = st.sampled_from([Letterbox(), Letterbox(anchor="centre"), None])
SHARE = st.floats(0, 1)
SHARES = st.lists(st.tuples(SHARE, SHARE, SHARE, SHARE), min_size=1, max_size=5)


def spec(width: int, height: int, letterbox: Letterbox | None) -> InputSpec:
    return InputSpec(width=width, height=height, layout="nhwc", colour="bgr", letterbox=letterbox)


def found(boxes: object) -> Detections:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(array, np.full(len(array), 0.5, np.float32), np.arange(len(array), dtype=np.int32))


@settings(deadline=None)
@given(LENGTH, LENGTH, st.integers(1, 640), st.integers(1, 640), PLACING)
def test_a_picture_lies_within_the_input_and_touches_two_sides(
    height: int, width: int, rows: int, columns: int, letterbox: Letterbox | None
) -> None:
    fit = fit_picture((height, width), spec(columns, rows, letterbox))
    top, left = fit.offset
    below, right = rows - top - fit.size[0], columns - left - fit.size[1]
    assert min(top, left, below, right) >= 0
    assert min(fit.size) >= 1
    assert min(top + below, left + right) <= 1  # YOLOX cuts the fraction off, so a pixel may be missing
    if letterbox is None:
        assert (fit.size, fit.offset) == ((rows, columns), (0, 0))
    elif letterbox.anchor == "centre":
        assert 0 <= below - top <= 1
        assert 0 <= right - left <= 1
    else:
        assert fit.offset == (0, 0)


@settings(deadline=None)
@given(LENGTH, LENGTH, st.integers(8, 640), st.integers(8, 640), PLACING, SHARES)
def test_boxes_come_back_from_the_input(
    height: int,
    width: int,
    rows: int,
    columns: int,
    letterbox: Letterbox | None,
    shares: list[tuple[float, float, float, float]],
) -> None:
    fit = fit_picture((height, width), spec(columns, rows, letterbox))
    x, y = np.sort(np.array(shares)[:, :2] * width), np.sort(np.array(shares)[:, 2:] * height)
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.float32)
    inside = fit.to_input(boxes)
    assert inside.dtype == np.float32
    back = to_picture(found(inside), fit)
    # float32 carries input coordinates to 1 in 2 ** 23; the way back magnifies that
    tolerance = 1e-4 / min(1, *fit.scale)
    kept = back.classes
    np.testing.assert_allclose(back.boxes, boxes[kept], rtol=1e-5, atol=tolerance)
    assert back.boxes.dtype == np.float32
    clearly = ((boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 2 * tolerance).nonzero()[0]
    assert set(clearly) <= set(kept), "only boxes without an area may be dropped"


def test_boxes_are_moved_scaled_and_clipped_and_dropped_in_the_padding() -> None:
    fit = fit_picture((200, 400), spec(100, 100, Letterbox(anchor="centre")))
    assert (fit.offset, fit.scale) == ((25, 0), (0.25, 0.25))
    given_ = found([[10, 30, 50, 60], [-5, 0, 120, 100], [0, 0, 10, 10]])
    kept = given_.boxes.copy()
    moved = to_picture(given_, fit)
    assert moved.boxes.tolist() == [[40, 20, 200, 140], [0, 0, 400, 200]]
    np.testing.assert_array_equal(given_.boxes, kept)
    assert fit.to_input(moved.boxes[:1]).tolist() == [[10, 30, 50, 60]]


def test_a_stretched_picture_has_two_scales() -> None:
    fit = fit_picture((200, 50), spec(100, 100, None))
    assert to_picture(found([10, 30, 50, 60]), fit).boxes.tolist() == [[5, 60, 25, 120]]


@settings(deadline=None)
@given(LENGTH, LENGTH, st.integers(1, 640), st.integers(1, 640), PLACING)
def test_the_scaled_picture_maps_back_to_the_whole_picture(
    height: int, width: int, rows: int, columns: int, letterbox: Letterbox | None
) -> None:
    fit = fit_picture((height, width), spec(columns, rows, letterbox))
    (top, left), (high, wide) = fit.offset, fit.size
    (whole,) = to_picture(found([left, top, left + wide, top + high]), fit).boxes
    np.testing.assert_allclose(whole, [0, 0, width, height], rtol=1e-3)


def test_a_row_of_pixels_keeps_its_boxes() -> None:
    fit = fit_picture((1, 4000), spec(640, 640, Letterbox()))
    assert fit.size == (1, 640)
    (box,) = to_picture(found([160, 0, 320, 1]), fit).boxes
    np.testing.assert_allclose(box, [1000, 0, 2000, 1])


def test_no_detections() -> None:
    fit = fit_picture((200, 50), spec(100, 100, None))
    assert len(to_picture(Detections.empty(), fit)) == 0
    assert fit.to_input(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("letterbox", [Letterbox(), Letterbox(anchor="centre"), None])
@pytest.mark.parametrize("size", [(480, 640), (640, 480), (77, 301), (1000, 90)], ids=str)
def test_input_positions_map_back_to_picture_positions(
    size: tuple[int, int], letterbox: Letterbox | None
) -> None:
    """A white rectangle located in the written tensor maps back to its position in the picture."""
    height, width = size
    drawn = [width // 4, height // 3, width // 4 + width // 2, height // 3 + height // 2]
    picture = np.zeros((height, width, 3), np.uint8)
    picture[drawn[1] : drawn[3], drawn[0] : drawn[2]] = 255
    tensor = TensorSpec("picture", (1, 192, 256, 3), np.dtype(np.uint8))
    buffer = tensor.allocate()
    fit = Preprocessor(spec(256, 192, letterbox), tensor).write(picture, buffer)
    x, y, w, h = cv2.boundingRect((buffer[0, :, :, 0] > 127).astype(np.uint8))
    seen = to_picture(found([x, y, x + w, y + h]), fit).boxes[0]
    pixel = np.array([1, 1, 1, 1]) / np.array([*fit.scale[::-1], *fit.scale[::-1]])
    # the corners are seen to a pixel of the input
    assert (np.abs(seen - drawn) <= np.maximum(pixel, 1)).all()
    np.testing.assert_allclose(fit.to_input(seen[None])[0], [x, y, x + w, y + h], atol=1e-3)
