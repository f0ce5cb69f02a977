"""Counting what frames look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeagent.accuracy.scene import (
    AREA_BINS,
    BRIGHTNESS_BINS,
    DETECTIONS_BINS,
    QUANTITIES,
    SCORE_BINS,
    SceneCounts,
    area_bins,
    brightness_bin,
    detections_bin,
    score_bins,
    total,
)
from edgeagent.vision.detections import Detections

BLACK = np.zeros((48, 64, 3), np.uint8)


def detections(*rows: tuple[float, float, int]) -> Detections:
    """Detections of given width, score and class, each as high as it is wide."""
    boxes = np.array([[1, 1, 1 + width, 1 + width] for width, _, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score, _ in rows], np.float32)
    return Detections(boxes, scores, np.array([place for _, _, place in rows], np.int32))


def test_every_quantity_is_counted_and_so_are_the_frames_that_gave_something() -> None:
    counts = SceneCounts(3)
    counts.record(detections((10, 0.51, 2), (10, 0.52, 2), (40, 0.99, 0)), BLACK)
    counts.record(Detections.empty(), BLACK + 255)
    assert counts.frames == 2
    assert counts.counts["label"].tolist() == [1, 0, 2]
    assert dict(enumerate(counts.counts["score"])) == {**dict.fromkeys(range(SCORE_BINS), 0), 10: 2, 19: 1}
    assert counts.counts["brightness"].tolist() == [1, *[0] * (BRIGHTNESS_BINS - 2), 1]
    assert counts.counts["detections"].tolist() == [1, 0, 1, *[0] * (DETECTIONS_BINS - 3)]
    assert counts.contributing == {"score": 1, "label": 1, "area": 1, "brightness": 2, "detections": 2}


@pytest.mark.parametrize(
    ("count", "place"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (63, 6), (64, 7), (300, 7)]
)
def test_numbers_of_detections_go_by_doubling(count: int, place: int) -> None:
    assert int(detections_bin(count)) == place


@pytest.mark.parametrize(
    ("share", "place"), [(1.0, 0), (0.6, 0), (0.5, 1), (0.3, 1), (0.2, 2), (1e-3, 9), (1e-9, 15), (0.0, 15)]
)
def test_areas_go_by_halves(share: float, place: int) -> None:
    assert area_bins(np.array([[0, 0, share * 100, 100]], np.float32), 10_000).tolist() == [place]


@pytest.mark.parametrize(
    ("colour", "luma"), [((255, 255, 255), 255), ((255, 0, 0), 29), ((0, 255, 0), 150), ((0, 0, 255), 76)]
)
def test_brightness_is_luma(colour: tuple[int, int, int], luma: int) -> None:
    image = np.full((480, 640, 3), colour, np.uint8)
    assert int(brightness_bin(image)) == luma * BRIGHTNESS_BINS // 256


numbers = st.floats(0, 1, width=32)


@given(
    st.lists(st.tuples(st.floats(-10, 1e5, width=32), numbers, st.integers(0, 2)), max_size=20),
    st.integers(0, 255),
)
def test_each_detection_is_counted_once_whatever_it_is(
    rows: list[tuple[float, float, int]], level: int
) -> None:
    counts, found = SceneCounts(3), detections(*rows)
    counts.record(found, np.full((5, 7, 3), level, np.uint8))
    for name in ("score", "label", "area"):
        assert counts.counts[name].sum() == len(rows)
    assert counts.counts["brightness"].sum() == counts.counts["detections"].sum() == 1
    assert (area_bins(found.boxes, 35) < AREA_BINS).all()
    assert (score_bins(found.scores) >= 0).all()


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8))
def test_counts_add_up(levels: list[int]) -> None:
    parts = []
    together = SceneCounts(1)
    for level in levels:
        part = SceneCounts(1)
        image = np.full((2, 2, 3), level, np.uint8)
        for counts in (part, together):
            counts.record(detections((1, level / 255, 0)), image)
        parts.append(part)
    found = total(parts, 1)
    assert found.frames == len(levels)
    for name in QUANTITIES:
        assert (found.counts[name] == together.counts[name]).all()
        assert found.contributing[name] == len(levels)
    copied = found.copy()
    copied.counts["score"][0] += 1
    assert copied.counts["score"][0] == found.counts["score"][0] + 1
