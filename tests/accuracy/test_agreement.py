from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeagent.accuracy.agreement import UNKNOWN, Agreement, agreement, in_labels_of, match
from edgeagent.vision.detections import Detections

Row = tuple[float, float, float, float, int]


def found(*rows: Row) -> Detections:
    """Return detections of rows x1, y1, x2, y2, class."""
    boxes = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    classes = np.array([row[4] for row in rows], np.int32)
    return Detections(boxes, np.full(len(rows), 0.5, np.float32), classes)


def pairs(one: Detections, other: Detections) -> list[list[int]]:
    return [[int(row), int(column)] for row, column in match(one, other)]


def test_a_box_has_the_partner_that_overlaps_most() -> None:
    one = found((0, 0, 10, 10, 0), (2, 0, 12, 10, 0))
    other = found((2, 0, 12, 10, 0), (0, 0, 10, 9, 0))
    assert pairs(one, other) == [[1, 0], [0, 1]]


def test_a_partner_is_taken_once() -> None:
    one = found((0, 0, 10, 10, 0), (0, 0, 10, 9, 0))
    assert pairs(one, found((0, 0, 10, 10, 0))) == [[0, 0]]


@pytest.mark.parametrize(("width", "matched"), [(5.0, 1), (4.9, 0)])
def test_half_of_the_union_must_be_shared(width: float, matched: int) -> None:
    assert len(match(found((0, 0, 10, 10, 0)), found((0, 0, width, 10, 0)))) == matched


def test_another_class_is_no_partner() -> None:
    one = found((0, 0, 10, 10, 0), (20, 0, 30, 10, UNKNOWN))
    assert pairs(one, found((0, 0, 10, 10, 1), (20, 0, 30, 10, UNKNOWN))) == []


def test_the_share_counts_boxes_of_both() -> None:
    one, other = found((0, 0, 10, 10, 0), (20, 0, 30, 10, 0)), found((0, 0, 10, 10, 0))
    assert agreement(one, other) == Agreement(1, 1, 3)
    assert agreement(one, other).share == pytest.approx(2 / 3)
    assert agreement(one, one).share == 1


def test_scores_are_compared_over_the_pairs_alone() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32)
    one = Detections(boxes, np.array([0.75, 0.5, 0.9], np.float32), np.zeros(3, np.int32))
    other = Detections(boxes[:2], np.array([0.5, 0.625], np.float32), np.zeros(2, np.int32))
    assert agreement(one, other).mean_score_difference == pytest.approx((0.25 - 0.125) / 2)
    assert agreement(other, one).mean_score_difference == pytest.approx(-(0.25 - 0.125) / 2)
    both = agreement(one, other) + agreement(one, one)
    assert both.mean_score_difference == pytest.approx((0.25 - 0.125) / 5)
    assert agreement(one, Detections.empty()).mean_score_difference is None


def test_where_nothing_is_found_there_is_no_share() -> None:
    assert agreement(Detections.empty(), Detections.empty()) == Agreement(1, 0, 0)
    assert Agreement(1).share is None
    assert agreement(found((0, 0, 10, 10, 0)), Detections.empty()).share == 0


def test_counts_add_up() -> None:
    assert Agreement(1, 2, 5) + Agreement(2, 0, 1) == Agreement(3, 2, 6)


@pytest.mark.parametrize(
    ("labels", "wanted", "classes"),
    [
        (("person", "car"), ("person", "car"), [1, 0]),
        (("person", "car"), ("car", "dog", "person"), [0, 2]),
        (("person", "car"), ("person",), [UNKNOWN, 0]),
    ],
)
def test_classes_follow_their_labels(
    labels: Sequence[str], wanted: Sequence[str], classes: list[int]
) -> None:
    one = found((0, 0, 10, 10, 1), (20, 0, 30, 10, 0))
    assert in_labels_of(one, labels, wanted).classes.tolist() == classes
