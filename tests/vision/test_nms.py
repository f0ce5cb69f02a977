"""Non-maximum suppression and intersection over union, compared with plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgeagent.vision.detections import Detections
from edgeagent.vision.discard import not_finite
from edgeagent.vision.nms import (
    MAX_CANDIDATES,
    MAX_DETECTIONS,
    intersection_over_union,
    suppress,
)
from tests.vision import slow

PLACE = st.integers(-30, 30)
EXTENT = st.integers(1, 25)
FOUND = st.builds(
    lambda x, y, w, h, score, index: slow.Found((x, y, x + w, y + h), score, index),
    PLACE,
    PLACE,
    EXTENT,
    EXTENT,
    st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.75, 0.9375]),  # many equal scores
    st.integers(0, 3),
)


def row(count: int, step: float, size: float = 10.0) -> Detections:
    """Return adjacent boxes of one class; the last has the highest score."""
    x = np.arange(count, dtype=np.float32)[:, None] * np.float32(step)
    boxes = np.concatenate([x, 0 * x, x + size, 0 * x + size], axis=1).astype(np.float32)
    scores = np.linspace(0.1, 0.9, count, dtype=np.float32)
    return Detections(boxes, scores, np.zeros(count, np.int32))


@settings(deadline=None)
@given(st.lists(FOUND, max_size=25), st.sampled_from([0.0, 0.2, 0.45, 0.65, 1.0]))
def test_it_keeps_what_plain_loops_keep(candidates: list[slow.Found], threshold: float) -> None:
    pairs = itertools.combinations(candidates, 2)
    # an overlap exactly at the threshold is tested below, where floats are exact
    assume(threshold in (0, 1) or all(abs(slow.iou(a.box, b.box) - threshold) > 1e-6 for a, b in pairs))
    kept = suppress(slow.detections(candidates), threshold)
    wanted = slow.detections(slow.suppress(candidates, threshold))
    np.testing.assert_array_equal(kept.boxes, wanted.boxes)
    np.testing.assert_array_equal(kept.scores, wanted.scores)
    np.testing.assert_array_equal(kept.classes, wanted.classes)


def test_real_valued_boxes_in_a_crowd() -> None:
    random = np.random.default_rng(3)
    for _ in range(10):
        corner, size = random.uniform(-20, 150, (120, 2)), random.uniform(40, 120, (120, 2))
        candidates = [
            slow.Found((x, y, x + w, y + h), float(random.uniform()), int(random.integers(4)))
            for (x, y), (w, h) in zip(corner.tolist(), size.tolist(), strict=True)
        ]
        wanted = slow.suppress(candidates, 0.3)
        assert 10 < len(wanted) < 100
        slow.assert_same(suppress(slow.detections(candidates), 0.3), wanted)


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_candidate_is_unchanged(count: int) -> None:
    candidates = row(count, 20)
    kept = suppress(candidates, 0.5)
    assert len(kept) == count
    assert kept.boxes.shape == (count, 4)
    np.testing.assert_array_equal(kept.scores, candidates.scores)


@pytest.mark.parametrize("corner", [0.0, -200.0], ids=["inside", "beyond the left edge"])
def test_different_classes_never_suppress_each_other(corner: float) -> None:
    box = np.float32([[corner, corner, corner + 90, corner + 90]])  # type: ignore[arg-type]
    candidates = Detections(
        np.repeat(box, 4, axis=0),
        np.array([0.6, 0.9, 0.8, 0.7], np.float32),
        np.array([0, 5, 5, 1], np.int32),
    )
    kept = suppress(candidates, 0.5)
    assert kept.classes.tolist() == [5, 1, 0]
    np.testing.assert_allclose(kept.scores, [0.9, 0.7, 0.6])


def test_of_equal_scores_the_first_stays() -> None:
    candidates = row(3, 1)
    ties = Detections(candidates.boxes, np.full(3, 0.5, np.float32), candidates.classes)
    np.testing.assert_array_equal(suppress(ties, 0.5).boxes, candidates.boxes[:1])


def test_an_overlap_of_exactly_the_threshold_is_kept() -> None:
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 2]], np.float32)
    candidates = Detections(boxes, np.array([0.9, 0.8], np.float32), np.zeros(2, np.int32))
    assert len(suppress(candidates, 0.5)) == 2
    assert len(suppress(candidates, 0.4999)) == 1


def test_no_more_than_the_limit_and_those_the_best() -> None:
    candidates = row(MAX_DETECTIONS + 50, 20)
    kept = suppress(candidates, 0.5)
    assert len(kept) == MAX_DETECTIONS
    np.testing.assert_array_equal(kept.scores, candidates.scores[::-1][:MAX_DETECTIONS])


def test_only_the_best_candidates_are_looked_at() -> None:
    heap = row(MAX_CANDIDATES, 0)
    apart = Detections(np.array([[50, 50, 60, 60]], np.float32), np.float32([0.01]), np.int32([0]))  # type: ignore[arg-type]
    assert len(suppress(Detections.join([apart, heap]), 0.5)) == 1
    assert len(suppress(Detections.join([apart, heap.take(slice(1, None))]), 0.5)) == 2


@settings(deadline=None)
@given(st.lists(FOUND, min_size=1, max_size=6), st.lists(FOUND, min_size=1, max_size=6))
def test_overlap_of_every_pair(first: list[slow.Found], second: list[slow.Found]) -> None:
    ratio = intersection_over_union(slow.detections(first).boxes, slow.detections(second).boxes)
    wanted = [[slow.iou(a.box, b.box) for b in second] for a in first]
    assert ratio.dtype == np.float32
    np.testing.assert_allclose(ratio, wanted, atol=1e-6)


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.array([[5, 5, 5, 5], [9, 9, 1, 1], [0, 0, 10, 10]], np.float32)
    ratio = intersection_over_union(boxes, boxes)
    np.testing.assert_array_equal(ratio, np.diag([0, 0, 1]))
    assert intersection_over_union(boxes[:0], boxes).shape == (0, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["box", "score"])
def test_a_candidate_that_is_not_finite_takes_no_others_with_it(bad: float, place: str) -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 5, 5], [0, 0, 10, 10], [40, 40, 50, 50]], np.float32)
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    if place == "box":
        boxes[1, 0] = bad
    else:
        scores[1] = bad
    before = not_finite.count
    kept = suppress(Detections(boxes, scores, np.array([0, 1, 2, 0], np.int32)), 0.5)
    assert kept.scores.tolist() == scores[[0, 2, 3]].tolist()
    assert not_finite.count == before + 1
