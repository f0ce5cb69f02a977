"""mAP of weighted pictures is that of pycocotools on repeated pictures; intervals of known differences."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.accuracy.coco_map import Found, GroundTruth, mean_average_precision
from edgeagent.accuracy.evaluation import DetectionEvaluation, compare_evaluations
from edgeagent.accuracy.map_interval import AccuracyDifference, MatchedDetections
from edgeagent.vision.detections import Detections

LABELS = ("person", "bicycle", "car")
PICTURES = 12


def _truth(random: np.random.Generator) -> GroundTruth:
    count = int(random.integers(0, 8))
    corners = random.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(20, 90, (count, 2))], axis=1)
    classes = random.integers(0, 2, count).astype(np.int32)  # no car is labelled
    crowd = GroundTruth((640, 480), np.array([[0, 0, 90, 90]], np.float32), np.array([0], np.int32))
    return GroundTruth((640, 480), boxes.astype(np.float32), classes, crowd if count % 2 else None)


def _detections(truth: GroundTruth, random: np.random.Generator, shift: float) -> Detections:
    boxes = truth.boxes + random.normal(0, shift, truth.boxes.shape).astype(np.float32)
    extra = np.array([[5, 5, 60, 60], [200, 200, 300, 260]], np.float32)
    classes = np.concatenate([truth.classes, np.array([0, 2], np.int32)])
    scores = random.uniform(0.05, 1, len(classes)).astype(np.float32)
    return Detections(np.concatenate([boxes, extra]), scores, classes)


def _found(shift: float, seed: int = 0) -> Found:
    random = np.random.default_rng(seed)
    truths = [_truth(random) for _ in range(PICTURES)]
    noise = np.random.default_rng(seed + 100)
    return Found(truths, [_detections(truth, noise, shift) for truth in truths], LABELS)


def test_each_picture_once_is_the_map_of_pycocotools() -> None:
    found = _found(6)
    expected = mean_average_precision(found.truths, found.detections, LABELS).map50_95
    assert 0.05 < expected < 0.95
    once = np.ones(PICTURES, np.int64)
    assert MatchedDetections(found).mean_average_precision(once) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_draw_is_the_map_of_repeated_pictures(seed: int) -> None:
    found = _found(6, seed)
    draw = np.random.default_rng(seed).multinomial(PICTURES, np.full(PICTURES, 1 / PICTURES))
    truths = [truth for truth, count in zip(found.truths, draw, strict=True) for _ in range(count)]
    answers = [one for one, count in zip(found.detections, draw, strict=True) for _ in range(count)]
    expected = mean_average_precision(truths, answers, LABELS).map50_95
    assert MatchedDetections(found).mean_average_precision(draw) == pytest.approx(expected, abs=1e-9)


def test_interval_of_a_model_and_itself_is_zero() -> None:
    model = DetectionEvaluation(_found(6))
    assert compare_evaluations(model, model) == AccuracyDifference(0, 0, 0)


def test_interval_excludes_zero_for_a_clearly_worse_model() -> None:
    found = compare_evaluations(DetectionEvaluation(_found(25)), DetectionEvaluation(_found(2)))
    assert found.low <= found.difference <= found.high < 0


def test_models_on_other_pictures_are_not_compared() -> None:
    found = _found(6)
    fewer = Found(found.truths[:-1], found.detections[:-1], LABELS)
    with pytest.raises(ValueError, match="12 and 11 pictures"):
        compare_evaluations(DetectionEvaluation(found), DetectionEvaluation(fewer))


def test_a_draw_without_objects_has_no_map() -> None:
    found = _found(6)
    empty = next(place for place, truth in enumerate(found.truths) if not len(truth.classes))
    draw = np.zeros(PICTURES, np.int64)
    draw[empty] = PICTURES
    with pytest.raises(ValueError, match="no labelled object"):
        MatchedDetections(found).mean_average_precision(draw)
