"""Messages of Frigate's protocol: what is read of them, and the rows of the answer."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeagent.bundle.manifest import InputSpec
from edgeagent.serve.errors import BadRequestError
from edgeagent.serve.frigate_messages import (
    NO_OBJECTS,
    ModelQuestion,
    encode_rows,
    largest_tensor,
    read_message,
)
from edgeagent.vision.detections import Detections

SPEC = InputSpec(width=8, height=4, layout="nhwc", colour="bgr")
HEADER = {"shape": [1, 4, 8, 3], "dtype": "uint8", "model_type": "ssd"}
TENSOR = bytes(range(96))


def header(**changed: object) -> bytes:
    return json.dumps({**HEADER, **changed}).encode()


def test_a_picture_is_read_in_c_order_without_a_copy() -> None:
    picture = read_message([header(), TENSOR], SPEC)
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (4, 8, 3)
    assert picture[1, 0].tolist() == [24, 25, 26]
    assert not picture.flags.owndata


@pytest.mark.parametrize("sent", [False, True])
def test_questions_about_the_model(sent: bool) -> None:
    key = "model_data" if sent else "model_request"
    frames = [json.dumps({key: True, "model_name": "yolo.onnx"}).encode(), *([b"onnx"] if sent else [])]
    assert read_message(frames, SPEC) == ModelQuestion("yolo.onnx", sent)


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([], "empty message"),
        ([b""], "no JSON"),
        ([b"\xff\xfe", TENSOR], "no JSON"),
        ([b"[" * 4000, TENSOR], "no JSON"),
        ([b"7" * 4096, TENSOR], "no JSON"),
        ([b"[]", TENSOR], "no JSON object"),
        ([b"{" + b" " * 5000, TENSOR], "header has 5001 bytes"),
        ([header()], "got 1 frames"),
        ([header(), TENSOR, b""], "got 3 frames"),
        ([b"{}", TENSOR], "'shape'"),
        ([header(shape=96), TENSOR], "'shape'"),
        ([header(shape=[1, 4, 8.0, 3]), TENSOR], "'shape'"),
        ([header(shape=[1, True, 8, 3]), TENSOR], "'shape'"),
        ([header(shape=[1, -4, 8, 3]), TENSOR], "'shape'"),
        ([header(dtype=None), TENSOR], "'dtype'"),
        ([header(shape=[1, 3, 4, 8]), TENSOR], "channels last"),
        ([header(dtype="float32"), TENSOR * 4], "is of float32"),
        ([header(), TENSOR[:-1]], "has 95 bytes"),
        ([header(), TENSOR * 4], "has 384 bytes"),
    ],
)
def test_what_is_malformed_is_refused(frames: list[bytes], said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        read_message(frames, SPEC)


def detections(count: int) -> Detections:
    scores = np.linspace(0.4, 0.9, count, dtype=np.float32)
    boxes = np.tile(np.float32([[2, 1, 4, 3]]), (count, 1))  # type: ignore[arg-type]
    return Detections(boxes, scores, np.arange(count, dtype=np.int32))


def test_rows_are_class_score_and_shares_of_the_tensor_best_first() -> None:
    rows = np.frombuffer(encode_rows(detections(2), SPEC), np.float32).reshape(20, 6)
    assert rows[0].tolist() == pytest.approx([1, 0.9, 1 / 4, 2 / 8, 3 / 4, 4 / 8])
    assert rows[1, :2].tolist() == pytest.approx([0, 0.4])
    assert not rows[2:].any()


def test_more_than_twenty_are_cut_to_the_best() -> None:
    rows = np.frombuffer(encode_rows(detections(300), SPEC), np.float32).reshape(20, 6)
    assert rows[:, 0].tolist() == list(range(299, 279, -1))


def test_without_objects_all_rows_are_zero() -> None:
    assert encode_rows(Detections.empty(), SPEC) == NO_OBJECTS == bytes(480)


def test_a_float_tensor_of_twice_the_size_is_still_explained() -> None:
    assert largest_tensor(SPEC) >= 2 * 2 * 4 * len(TENSOR)
