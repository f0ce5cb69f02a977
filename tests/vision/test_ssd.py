"""SSD decoder on outputs of TFLite_Detection_PostProcess."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import Array, DetectionRole, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.decoder import build_decoder
from edgeagent.vision.decoder_ssd import SsdDecoder
from edgeagent.vision.detections import Detections

SIZE, PLACES = (320, 200), 6
BOXES, KINDS, SCORES, COUNT = range(4)
CONVERTED = (BOXES, KINDS, SCORES, COUNT)


def outputs(count: int) -> list[Array]:
    """Return boxes, classes, scores and count; entries beyond the count are stale."""
    random = np.random.default_rng(8)
    boxes = random.uniform(0, 1, (1, PLACES, 4)).astype(np.float32)
    kinds = random.integers(0, 90, (1, PLACES)).astype(np.float32)
    scores = np.array([[0.9, 0.7, 0.5, 0.3, 0.95, 0.95]], np.float32)
    return [boxes, kinds, scores, np.array([count], np.float32)]


def decode(given: Sequence[Array], score: float, order: Sequence[int] = CONVERTED) -> Detections:
    turned = [given[index] for index in order]
    tensors = [TensorSpec(f"out:{k}", array.shape, array.dtype) for k, array in enumerate(turned)]
    return build_decoder(DecoderSpec(family="ssd"), tensors, [], SIZE, 90, 0.5).decode(turned, score)


@pytest.mark.parametrize(
    "order", [CONVERTED, (KINDS, SCORES, BOXES, COUNT), (COUNT, BOXES, KINDS, SCORES)], ids=str
)
@pytest.mark.parametrize(
    ("count", "score"), [(4, 0.0), (4, 0.5), (4, 0.6), (2, 0.4), (0, 0.0), (6, 0.94), (4, 1.0)]
)
def test_boxes_are_read_in_any_place(order: Sequence[int], count: int, score: float) -> None:
    given = outputs(count)
    found = decode(given, score, order)
    wanted = []
    for k in range(count):
        if given[SCORES][0, k] >= score:
            top, left, bottom, right = given[BOXES][0, k].tolist()
            box = [left * 320, top * 200, right * 320, bottom * 200]
            wanted.append((box, float(given[SCORES][0, k]), int(given[KINDS][0, k])))
    np.testing.assert_allclose(found.boxes, np.array([w[0] for w in wanted]).reshape(-1, 4), rtol=1e-6)
    assert found.scores.tolist() == [w[1] for w in wanted]
    assert found.classes.tolist() == [w[2] for w in wanted]
    assert [str(a.dtype) for a in (found.boxes, found.scores, found.classes)] == [
        "float32",
        "float32",
        "int32",
    ]


def test_one_place_only() -> None:
    given = [array[:, :1] if array.ndim > 1 else array for array in outputs(1)]
    assert decode(given, 0.8).scores.tolist() == pytest.approx([0.9])


def test_the_outputs_are_not_kept() -> None:
    given = outputs(4)
    found = decode(given, 0.0)
    boxes, scores = found.boxes.copy(), found.scores.copy()
    for array in given:
        array[...] = 0
    np.testing.assert_array_equal(found.boxes, boxes)
    np.testing.assert_array_equal(found.scores, scores)


def test_outputs_are_taken_by_the_role_that_the_engine_gives() -> None:
    given = outputs(4)
    names: tuple[DetectionRole, ...] = ("boxes", "classes", "scores", "count")
    order = (SCORES, BOXES, COUNT, KINDS)  # of exporters of TensorFlow 2
    turned = [given[place] for place in order]
    tensors = [
        TensorSpec(f"out:{k}", given[place].shape, given[place].dtype, role=names[place])
        for k, place in enumerate(order)
    ]
    found = build_decoder(DecoderSpec(family="ssd"), tensors, [], SIZE, 90, 0.5).decode(turned, 0.4)
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert found.classes.tolist() == given[KINDS][0, :3].tolist()


def test_classes_in_the_place_of_scores_are_refused() -> None:
    with pytest.raises(EngineError, match=r"a score is 0\.\.1"):
        decode(outputs(4), 0.3, (BOXES, SCORES, KINDS, COUNT))


@pytest.mark.parametrize("count", [np.nan, np.inf, -3.0, 7.0, 1e9])
def test_an_impossible_count_is_refused(count: float) -> None:
    given = outputs(0)
    given[COUNT][0] = count
    with pytest.raises(EngineError, match="it has place for 6"):
        decode(given, 0.3)


@pytest.mark.parametrize("number", [90.0, 200.0, -1.0, np.nan, np.inf])
def test_a_detection_of_a_class_without_label_is_dropped_and_said_once(
    number: float, caplog: pytest.LogCaptureFixture
) -> None:
    given = outputs(3)
    given[KINDS][0, 1] = number
    tensors = [TensorSpec(f"out:{k}", array.shape, array.dtype) for k, array in enumerate(given)]
    decoder = SsdDecoder(tensors, SIZE, 90)
    for _ in range(3):
        assert decoder.decode(given, 0.4).scores.tolist() == pytest.approx([0.9, 0.5])
    assert decoder.dropped == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "the model has 90 labels (0..89)" in caplog.text
