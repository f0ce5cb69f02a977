"""Detectors without non-maximum suppression: final detections in one output, and one-to-one heads."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.decoder import build_decoder
from edgeagent.vision.decoder_end_to_end import EndToEndDecoder
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import MAX_DETECTIONS, keep_best
from tests.vision import slow
from tests.vision.raw_heads import CELLS, CLASSES, SIZE, STRIDES, random_heads

SCORE = 0.5


def final(rows: Any, boxes: Literal["decoded", "shares"] = "decoded") -> tuple[EndToEndDecoder, Any]:
    output = np.asarray(rows, np.float32)[None]
    spec = DecoderSpec(family="yolov8", strides=STRIDES, nms="none", boxes=boxes)
    tensor = TensorSpec("output0", output.shape, output.dtype)
    decoder = build_decoder(spec, [tensor], [], SIZE, CLASSES, 0.5)
    assert isinstance(decoder, EndToEndDecoder)
    return decoder, output


def test_final_detections_are_taken_as_they_are() -> None:
    rows = [[1, 2, 30, 20, 0.6, 2], [1, 2, 30, 20, 0.9, 2], [5, 5, 9, 9, 0.4, 0], [0, 0, 0, 0, 0, 0]]
    decoder, output = final(rows)
    wanted = [slow.Found((1, 2, 30, 20), 0.9, 2), slow.Found((1, 2, 30, 20), 0.6, 2)]
    slow.assert_same(decoder.decode([output], SCORE), wanted)
    assert decoder.dropped == 0


def test_shares_of_the_input() -> None:
    decoder, output = final([[0.25, 0.5, 0.5, 0.75, 0.8, 1]], "shares")
    slow.assert_same(decoder.decode([output], SCORE), [slow.Found((16, 16, 32, 24), 0.8, 1)])


def test_a_class_without_label_is_dropped_and_counted() -> None:
    decoder, output = final([[1, 2, 30, 20, 0.6, CLASSES], [1, 2, 30, 20, 0.7, 1]])
    assert decoder.decode([output], SCORE).classes.tolist() == [1]
    assert decoder.dropped == 1


def test_scores_outside_0_to_1_are_refused() -> None:
    decoder, output = final([[1, 2, 30, 20, 1, 61]])  # class and score exchanged
    with pytest.raises(EngineError, match="gives the score 61"):
        decoder.decode([output[..., [0, 1, 2, 3, 5, 4]]], SCORE)


@pytest.mark.parametrize("bins", [16, 1], ids=["YOLOv10", "YOLO26"])
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "uint8"])
def test_one_to_one_heads_are_not_suppressed(bins: int, quantized: bool) -> None:
    heads = random_heads({"box": 4 * bins, "classes": CLASSES}, "nchw", quantized, 1)
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        if bins == 1 and role.role == "box":  # distances are positive in a trained model
            output[...] = np.maximum(output, 140) if quantized else np.abs(output) + 1
    spec = DecoderSpec(family="yolov8", strides=STRIDES, reg_max=bins, nms="none")
    found = build_decoder(spec, heads.tensors, heads.roles, SIZE, CLASSES, 0.1).decode(heads.outputs, SCORE)
    wanted = slow.yolov8(heads.read, STRIDES, SIZE, CLASSES, SCORE, bins)
    assert len(slow.suppress(wanted, 0.1)) < len(wanted) < CELLS
    slow.assert_same(found, wanted)
    assert (np.diff(found.scores) <= 0).all()


def test_the_best_are_kept() -> None:
    count = MAX_DETECTIONS + 50
    scores = np.random.default_rng(0).permutation(np.linspace(0, 1, count, dtype=np.float32))
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))
    boxes[scores.argmax()] = np.nan
    found = keep_best(Detections(boxes, scores, np.zeros(count, np.int32)))
    assert found.scores.tolist() == sorted(scores.tolist(), reverse=True)[1 : MAX_DETECTIONS + 1]
