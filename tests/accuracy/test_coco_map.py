"""Average precision of cases that can be computed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeagent.accuracy.coco_map import Accuracy, GroundTruth, mean_average_precision
from edgeagent.errors import EdgeagentError
from edgeagent.vision.detections import Detections

LABELS = ("person", "bicycle", "car")
Box = tuple[float, float, float, float]
SQUARE: Box = (100, 100, 200, 200)
ELSEWHERE: Box = (400, 300, 500, 400)


def truth(*objects: tuple[int, Box]) -> GroundTruth:
    boxes = np.array([box for _, box in objects], np.float32).reshape(-1, 4)
    return GroundTruth((640, 480), boxes, np.array([index for index, _ in objects], np.int32))


def found(*objects: tuple[int, float, Box]) -> Detections:
    return Detections(
        np.array([box for _, _, box in objects], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in objects], np.float32),
        np.array([index for index, _, _ in objects], np.int32),
    )


def accuracy(pairs: Sequence[tuple[GroundTruth, Detections]]) -> Accuracy:
    return mean_average_precision([pair[0] for pair in pairs], [pair[1] for pair in pairs], LABELS)


def crowd(seed: int) -> GroundTruth:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 400, (20, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 80, (20, 2))], axis=1)
    return GroundTruth((640, 480), boxes.astype(np.float32), random.integers(0, 3, 20).astype(np.int32))


def test_perfect_detections() -> None:
    truths = [crowd(seed) for seed in range(4)]
    random = np.random.default_rng(9)
    answers = []
    for one in truths:
        order = random.permutation(len(one.classes))
        scores = random.uniform(0.1, 1, len(order)).astype(np.float32)
        answers.append(Detections(one.boxes[order], scores, one.classes[order]))
    result = mean_average_precision(truths, answers, LABELS)
    assert (result.map50_95, result.map50) == pytest.approx((1, 1), abs=1e-9)
    assert result.images == 4
    assert result.per_class == {"person": 1, "bicycle": 1, "car": 1}


def test_no_detections_at_all() -> None:
    result = accuracy([(truth((0, SQUARE)), Detections.empty()), (truth((2, SQUARE)), Detections.empty())])
    assert result == Accuracy(0.0, 0.0, 2, {"person": 0.0, "car": 0.0})


def test_detections_on_the_wrong_picture_or_of_the_wrong_class() -> None:
    wrong_picture = [(truth((0, SQUARE)), found()), (truth((0, ELSEWHERE)), found((0, 0.9, SQUARE)))]
    assert accuracy(wrong_picture).map50 == 0
    assert accuracy([(truth((0, SQUARE)), found((1, 0.9, SQUARE)))]).map50 == 0


def test_half_of_the_objects() -> None:
    """Precision is 1 up to recall .5 and 0 beyond: 51 of the 101 recalls 0, .01, ... 1."""
    result = accuracy([(truth((0, SQUARE)), found((0, 0.9, SQUARE))), (truth((0, SQUARE)), found())])
    assert (result.map50_95, result.map50) == pytest.approx((51 / 101, 51 / 101))
    assert result.per_class == {"person": 0.505}


@pytest.mark.parametrize(("score", "wanted"), [(0.9, 1 / 2), (0.1, 1.0)], ids=["before", "after"])
def test_a_false_alarm_counts_by_its_score(score: float, wanted: float) -> None:
    """Before the right one it halves the precision at every recall; after it there is nothing to spoil."""
    result = accuracy([(truth((0, SQUARE)), found((0, 0.5, SQUARE), (0, score, ELSEWHERE)))])
    assert (result.map50_95, result.map50) == pytest.approx((wanted, wanted))


def test_a_false_alarm_on_a_picture_without_objects() -> None:
    pairs = [(truth((0, SQUARE)), found((0, 0.5, SQUARE))), (truth(), found((0, 0.9, SQUARE)))]
    assert accuracy(pairs).map50 == pytest.approx(1 / 2)


def test_an_object_is_found_once() -> None:
    """Two objects, three detections: right, a second one on the same object, right. 51 recalls have
    precision 1, 50 have 2 / 3."""
    answer = found((0, 0.9, SQUARE), (0, 0.8, SQUARE), (0, 0.7, ELSEWHERE))
    result = accuracy([(truth((0, SQUARE), (0, ELSEWHERE)), answer)])
    assert result.map50 == pytest.approx((51 + 50 * 2 / 3) / 101)


@pytest.mark.parametrize(("overlap", "thresholds"), [(49, 0), (52, 1), (77, 6), (97, 10)])
def test_iou_thresholds(overlap: int, thresholds: int) -> None:
    """A detection that covers this percentage of an object passes so many of .50, .55, ... .95."""
    result = accuracy([(truth((0, SQUARE)), found((0, 0.9, (100, 100, 200, 100 + overlap))))])
    assert result.map50_95 == pytest.approx(thresholds / 10)
    assert result.map50 == pytest.approx(min(thresholds, 1))


def test_the_mean_is_over_classes_that_occur() -> None:
    """One class right, one not found; of the third there is nothing, whatever is said to be found."""
    answer = found((0, 0.9, SQUARE), (2, 0.95, ELSEWHERE))
    result = accuracy([(truth((0, SQUARE), (1, ELSEWHERE)), answer)])
    assert result.map50 == pytest.approx(1 / 2)
    assert result.per_class == {"person": 1.0, "bicycle": 0.0}


def test_of_a_picture_the_best_hundred_count() -> None:
    alarms = [(0, 0.9, ELSEWHERE)] * 99
    right, pairs = (0, 0.5, SQUARE), truth((0, SQUARE))
    assert accuracy([(pairs, found(*alarms, right))]).map50 == pytest.approx(1 / 100)
    assert accuracy([(pairs, found(*alarms, *alarms[:1], right))]).map50 == 0


def test_labels_without_any_object() -> None:
    with pytest.raises(EdgeagentError, match="the labels hold no object at all"):
        accuracy([(truth(), found((0, 0.9, SQUARE)))])
    with pytest.raises(EdgeagentError, match="the labels hold no object at all"):
        mean_average_precision([], [], LABELS)


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy([(truth((0, SQUARE)), found((0, 0.9, SQUARE)))])
    assert capsys.readouterr() == ("", "")
