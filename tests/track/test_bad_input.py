"""Trackers with clocks that jump, crowds, nothing, and numbers that are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeagent.errors import ConfigurationError, DataError
from edgeagent.track.choice import create_tracker
from edgeagent.track.tracker import Tracker, TrackerOptions
from edgeagent.vision.detections import Detections
from tests.track.scenes import LABELS, MakeTracker, Walker, detect, follow, make_detections


@pytest.mark.parametrize("jump_s", [-1000.0, 3600.0])
def test_a_clock_that_jumps_ends_all_tracks(tracker: Tracker, jump_s: float) -> None:
    walker = Walker((100, 100))
    follow(tracker, [walker], [1000, 1000.1, 1000.2])
    first, second = (tracker.update(detect([walker], 0), 1000.3 + jump_s + pause) for pause in (0, 0.1))
    assert (first.ended, first.ids.tolist()) == ((1,), [])
    assert (second.ended, second.ids.tolist()) == ((), [2])


def test_frames_in_the_wrong_order_do_no_harm(tracker: Tracker) -> None:
    tracks = follow(tracker, [Walker((100, 100), (40, 0))], [1.0, 1.1, 1.08, 1.2, 1.2, 1.3])
    assert [of_frame.ids.tolist() for of_frame in tracks[1:]] == [[1]] * 5


def test_a_time_that_is_no_number_is_refused(tracker: Tracker) -> None:
    with pytest.raises(DataError, match="time of a frame"):
        tracker.update(Detections.empty(LABELS), math.nan)


def test_nothing_at_all_is_a_frame_too(tracker: Tracker) -> None:
    empty = Detections.empty()
    for number in range(5):
        tracks = tracker.update(empty, number / 10)
    assert len(tracks) == 0
    assert tracks.boxes.shape == (0, 4)
    assert tracks.boxes.dtype == np.float32
    assert [array.dtype for array in (tracks.ids, tracks.classes, tracks.source, tracks.hits)] == [
        np.int64,
        np.int32,
        np.int32,
        np.int32,
    ]


def crowd(frames: int, count: int = 500) -> list[Detections]:
    """Return boxes at random places, some outside the picture, some without an area, in all classes."""
    rng = np.random.default_rng(3)
    corner = rng.uniform(-300, 2200, (count, 2))
    size = rng.uniform(-20, 200, (count, 2))
    found = []
    for _ in range(frames):
        corner = corner + rng.normal(0, 10, corner.shape)
        boxes = np.concatenate([corner, corner + size], axis=1)
        found.append(make_detections(boxes, rng.random(count), rng.integers(0, len(LABELS), count)))
    return found


def test_500_boxes_are_followed_and_nothing_is_infinite(tracker: Tracker) -> None:
    given: set[int] = set()
    ended: set[int] = set()
    for number, detections in enumerate(crowd(12)):
        tracks = tracker.update(detections, number * 0.4)
        assert np.isfinite(tracks.boxes).all()
        assert len(set(tracks.ids.tolist())) == len(tracks)
        assert np.array_equal(tracks.boxes, detections.boxes[tracks.source])
        assert np.array_equal(tracks.scores, detections.scores[tracks.source])
        assert not ended & set(tracks.ids.tolist())
        given |= set(tracks.ids.tolist())
        ended |= set(tracks.ended)
    assert given == set(range(1, max(given) + 1))
    assert ended < given
    gone = tracker.update(Detections.empty(LABELS), 1000.0)
    assert given == ended | set(gone.ended)


def test_the_same_input_gives_the_same_ids(make: MakeTracker) -> None:
    first, second = (
        [
            tracker.update(detections, number * 0.1).ids.tolist()
            for number, detections in enumerate(crowd(6, 80))
        ]
        for tracker in (make(), make())
    )
    assert first == second


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_boxes_and_scores_that_are_no_numbers_are_left_out(tracker: Tracker, bad: float) -> None:
    good = [10, 10, 50, 110]
    for number in range(4):
        boxes = [[0, 0, bad, 100], good, good, [1e30, 0, 2e30, 100], good]
        tracks = tracker.update(
            make_detections(boxes, [0.9, 0.9, math.nan, 0.9, 0.9], [0, 0, 0, 0, 99]), number / 10
        )
    assert set(tracks.source.tolist()) <= {1, 3}
    assert 1 in tracks.source


@pytest.mark.parametrize(
    "options",
    [
        {"low": 0.5, "high": 0.4},
        {"high": 0.6, "new": 0.5},
        {"new": 1.5},
        {"keep_s": -1.0},
        {"keep_s": math.inf},
        {"min_hits": 0},
    ],
)
def test_options_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="tracker: expected"):
        TrackerOptions(**options)  # type: ignore[arg-type]


def test_an_unknown_tracker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="bytetrack, ocsort"):
        create_tracker("sort")  # type: ignore[arg-type]
