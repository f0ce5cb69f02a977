"""ByteTrack and OC-SORT: when ids are given, how long they last, and when they end."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.track.choice import create_tracker
from edgeagent.track.tracker import Tracker
from tests.track.scenes import PERSON, MakeTracker, Walker, follow, frame_times, ids_of, make_detections


@pytest.mark.parametrize("fps", [10, 5, 2])
@pytest.mark.parametrize("seed", range(8))
def test_an_id_is_stable_over_two_seconds_of_occlusion(tracker: Tracker, fps: float, seed: int) -> None:
    """Somebody walks at 0.6 of the own height a second and is hidden from second 4 to 6.

    A fifth of the frames is missing, and boxes are noisy.
    """
    rng = np.random.default_rng(seed)
    walker = Walker((60, 200), (60, 0), hidden=(4, 6))
    stands = Walker((300, 500), hidden=(3, 5))
    times = frame_times(fps, 10, rng)
    tracks = follow(tracker, [walker, stands], times, rng)
    for person in (walker, stands):
        seen = [ids_of(of_frame, person, time_s) for of_frame, time_s in zip(tracks, times, strict=True)]
        assert len({number for numbers in seen for number in numbers}) == 1
        assert seen[-1]
    assert not any(of_frame.ended for of_frame in tracks)


@pytest.mark.parametrize("fps", [25, 10, 5])
@pytest.mark.parametrize("seed", range(4))
def test_people_who_cross_keep_their_ids(tracker: Tracker, fps: float, seed: int) -> None:
    """The one behind is hidden while they cross."""
    rng = np.random.default_rng(seed)
    near = Walker((100, 220), (70, 0), (50, 130))
    far = Walker((520, 200), (-60, 0), (40, 100), hidden=(2.9, 3.6))
    times = frame_times(fps, 6, rng, dropped=0.1)
    tracks = follow(tracker, [near, far], times, rng)
    before = {
        person: ids_of(tracks[len(times) // 4], person, times[len(times) // 4]) for person in (near, far)
    }
    after = {person: ids_of(tracks[-1], person, times[-1]) for person in (near, far)}
    assert before == after
    assert sorted(before[near] + before[far]) == [1, 2]


def test_an_object_gets_its_id_when_it_was_seen_often_enough(make: MakeTracker) -> None:
    walker = Walker((100, 100))
    tracks = follow(make(min_hits=3), [walker], [0, 0.1, 0.2, 0.3])
    assert [of_frame.ids.tolist() for of_frame in tracks] == [[], [], [1], [1]]
    assert tracks[-1].hits.tolist() == [4]
    assert tracks[-1].ages.tolist() == pytest.approx([0.3])
    (first,) = follow(make(min_hits=1), [walker], [0])
    assert first.ids.tolist() == [1]


def test_a_detection_that_is_seen_once_gets_no_id(tracker: Tracker) -> None:
    once = Walker((100, 100), hidden=(0.05, 9))
    tracks = follow(tracker, [once], [0, 0.1, 0.2])
    assert not any(len(of_frame) or of_frame.ended for of_frame in tracks)


def test_a_track_ends_when_it_is_missing_for_too_long(make: MakeTracker) -> None:
    tracker = make(keep_s=1.0)
    walker = Walker((100, 100), hidden=(0.95, 99))
    times = [number / 10 for number in range(25)]
    tracks = follow(tracker, [walker], times)
    (ended,) = [time_s for time_s, of_frame in zip(times, tracks, strict=True) if of_frame.ended]
    assert ended == pytest.approx(2.1)  # missing since 1.0
    assert [of_frame.ended for of_frame in tracks if of_frame.ended] == [(1,)]


def test_a_weak_detection_continues_a_track_but_starts_none() -> None:
    tracker = create_tracker("bytetrack")
    box = [10, 10, 50, 110]
    scores = [0.8, 0.8, 0.3, 0.3, 0.8]
    tracks = [
        tracker.update(make_detections([box, [300, 10, 340, 110]], [score, 0.3], [PERSON] * 2), number / 10)
        for number, score in enumerate(scores)
    ]
    assert [of_frame.ids.tolist() for of_frame in tracks] == [[], [1], [1], [1], [1]]


def test_a_reset_ends_all_tracks_and_uses_no_id_again(tracker: Tracker) -> None:
    walker = Walker((100, 100))
    follow(tracker, [walker], [0, 0.1])
    tracker.reset()
    tracks = follow(tracker, [walker], [0.2, 0.3])
    assert [(of_frame.ended, of_frame.ids.tolist()) for of_frame in tracks] == [((1,), []), ((), [2])]
