"""Labels of tracks: one object keeps its id when its label flips."""

from __future__ import annotations

import pytest

from edgeagent.errors import DataError
from edgeagent.track.tracker import Tracker
from tests.track.scenes import CAR, PERSON, TRUCK, Walker, detect, follow, make_detections


def test_a_label_that_flips_keeps_the_id(tracker: Tracker) -> None:
    walker = Walker((100, 200), (50, 0), (120, 80))
    labels = [CAR, CAR, TRUCK, CAR, TRUCK, TRUCK, CAR, CAR]
    for number, label in enumerate(labels):
        one = detect([walker], number / 10)
        tracks = tracker.update(make_detections(one.boxes, one.scores, [label]), number / 10)
    assert tracks.ids.tolist() == [1]
    assert tracks.names() == ["car"]


def test_the_label_is_that_with_the_greatest_sum_of_scores(tracker: Tracker) -> None:
    box = [0, 0, 100, 100]
    names = []
    for number, (label, score) in enumerate([(CAR, 0.5), (CAR, 0.5), (TRUCK, 0.9), (TRUCK, 0.9)]):
        tracks = tracker.update(make_detections([box], [score], [label]), number / 10)
        names.append(tracks.names())
    assert names == [[], ["car"], ["car"], ["truck"]]


def test_two_labels_of_one_object_are_one_track(tracker: Tracker) -> None:
    """Non-maximum suppression is per class: a detector may give a car and a truck for one object."""
    boxes = [[0, 0, 100, 60], [2, 1, 101, 60]]
    for number in range(6):
        scores = [0.8, 0.6] if number % 2 else [0.55, 0.7]
        tracks = tracker.update(make_detections(boxes, scores, [CAR, TRUCK]), number / 10)
    assert tracks.ids.tolist() == [1]


def test_a_rider_and_the_vehicle_are_two_tracks(tracker: Tracker) -> None:
    """Also where one of them is missed: the other box, which overlaps, does not continue its track."""
    boxes = {PERSON: [20, 0, 60, 100], CAR: [10, 40, 70, 120]}
    found = set()
    for number in range(12):
        seen = [[PERSON, CAR], [PERSON, CAR], [PERSON], [CAR]][number % 4]
        one = make_detections([boxes[label] for label in seen], [0.8] * len(seen), seen)
        tracks = tracker.update(one, number / 10)
        found |= set(zip(tracks.ids.tolist(), one.classes[tracks.source].tolist(), strict=True))
    assert found == {(1, PERSON), (2, CAR)}


def test_another_model_with_other_labels_keeps_ids_and_known_names(tracker: Tracker) -> None:
    boxes = [[10, 10, 110, 60], [300, 10, 340, 110]]
    for number in range(3):
        tracker.update(make_detections(boxes, [0.9, 0.9], [CAR, PERSON]), number / 10)
    tracks = tracker.update(make_detections(boxes, [0.9, 0.9], [0, 1], ("car", "cyclist")), 0.3)
    assert tracks.ids.tolist() == [1, 2]
    assert tracks.names() == ["car", "cyclist"]


def test_detections_without_labels_have_class_numbers(tracker: Tracker) -> None:
    for number in range(3):
        tracks = tracker.update(make_detections([[0, 0, 9, 9]], [0.9], [7], ()), number / 10)
    assert (tracks.names(), tracks.labels) == (["7"], ())
    with pytest.raises(DataError, match="class 2000000000"):
        tracker.update(make_detections([[0, 0, 9, 9]], [0.9], [2_000_000_000], ()), 0.4)


def test_tracks_are_detections_of_supervision(tracker: Tracker) -> None:
    pytest.importorskip("supervision")
    walkers = [Walker((100, 100)), Walker((300, 100), label=CAR)]
    found = follow(tracker, walkers, [0, 0.1])[-1].to_supervision()
    assert found.tracker_id is not None
    assert found.tracker_id.tolist() == [1, 2]
    assert list(found.data["class_name"]) == ["person", "car"]
