"""Accuracy of classifiers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeagent.accuracy.agreement import Agreement, agreement, in_labels_of
from edgeagent.accuracy.evaluation import (
    IOU_THRESHOLD,
    ClassEvaluation,
    compare_evaluations,
    evaluate_model,
    measured_value,
)
from edgeagent.accuracy.top_accuracy import rank_of_class, top_accuracy
from edgeagent.bundle.reading import open_bundle
from edgeagent.datasets.dataset import Dataset
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections


def test_ranks_count_classes_above_and_half_of_those_that_are_equal() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.1], np.float32)
    assert [rank_of_class(scores, index) for index in range(4)] == [2.5, 0.5, 0.5, 2.5]


def test_top_1_and_top_5() -> None:
    found = top_accuracy([0, 0.5, 4, 5], [0, 1, 1, 2], ("a", "b", "c", "d"))
    assert (found.top1, found.top5, found.images) == (0.375, 0.75, 4)
    assert found.per_class == {"a": 1.0, "b": 0.25, "c": 0.0}  # no picture of d


def test_a_difference_has_the_interval_of_its_pairs() -> None:
    classes, labels = [0] * 200, ("a", "b")
    right = ClassEvaluation([0.0] * 200, classes, labels)
    worse = ClassEvaluation([0.0] * 180 + [1.0] * 20, classes, labels)
    difference = compare_evaluations(worse, right)
    assert difference.difference == pytest.approx(-0.1)
    assert -0.16 < difference.low < -0.1 < difference.high < -0.05
    same = compare_evaluations(worse, worse)
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_a_bundle_is_evaluated_on_folders_of_its_labels(classifier_bundle: Path) -> None:
    bundle = open_bundle(classifier_bundle)
    detector = load_bundle_detector(bundle, "onnxruntime", 1, IOU_THRESHOLD)
    data = Dataset.find(classifier_bundle.parent / "data").open("val", "val")
    found = evaluate_model(detector, data)
    detector.engine.close()
    assert measured_value(found) > 0.95
    assert found.accuracy.images == 90
    assert set(found.accuracy.per_class) == {"blue", "green", "red"}


def test_pictures_agree_where_their_class_is_the_same_also_with_other_lists_of_labels() -> None:
    def of(*scores: float) -> Detections:
        return Detections.of_picture(Classification(np.array(scores, np.float32)))

    same = agreement(of(0.75, 0.25), of(0.5, 0.25))
    assert same == Agreement(1, 1, 2, 0.25)
    assert agreement(of(0.8, 0.2), of(0.3, 0.7)).share == 0
    other = in_labels_of(of(0.1, 0.2, 0.7), ("c", "x", "a"), ("a", "b", "c"))
    assert agreement(of(0.8, 0.1, 0.1), other).share == 1
