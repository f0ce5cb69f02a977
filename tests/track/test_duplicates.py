"""Second boxes of one object: they start no track, and neighbours do."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.track.choice import TrackerName, create_tracker
from edgeagent.track.duplicates import are_duplicates
from edgeagent.vision.detections import Detections

PERSON = (100, 100, 140, 200)
UPPER_HALF = (102, 102, 138, 160)
Box = tuple[int, int, int, int]


def detections(*boxes: Box, classes: tuple[int, ...] = ()) -> Detections:
    count = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.6, count).astype(np.float32),
        np.array(classes or (0,) * count, np.int32),
        ("person", "car"),
    )


def duplicate(box: Box, other: Box, classes: tuple[int, int] = (0, 0)) -> bool:
    one, two = detections(box, classes=classes[:1]), detections(other, classes=classes[1:])
    return bool(are_duplicates(one.boxes, one.classes, two.boxes, two.classes)[0, 0])


@pytest.mark.parametrize(
    ("other", "is_one"),
    [
        (UPPER_HALF, True),
        ((98, 98, 143, 204), True),
        ((110, 110, 128, 135), False),  # small: somebody behind
        ((130, 100, 170, 200), False),  # beside
        ((500, 100, 540, 200), False),
    ],
)
def test_one_box_in_the_other_is_one_object(other: Box, is_one: bool) -> None:
    assert duplicate(PERSON, other) is is_one
    assert duplicate(other, PERSON) is is_one


def test_of_different_classes_they_must_lie_on_each_other() -> None:
    assert not duplicate(PERSON, UPPER_HALF, (0, 1))
    assert duplicate(PERSON, (101, 101, 141, 201), (0, 1))
    assert not duplicate(PERSON, (100, 100, 100, 100))  # without an area


@pytest.mark.parametrize("name", ["bytetrack", "ocsort"])
def test_a_second_box_of_a_person_starts_no_track(name: TrackerName) -> None:
    tracker = create_tracker(name)
    beside = (200, 100, 240, 200)
    for step in range(10):
        tracks = tracker.update(detections(PERSON, UPPER_HALF, beside), step / 10)
    by_place = dict(zip(tracks.boxes[:, 0].tolist(), tracks.ids.tolist(), strict=True))
    assert sorted(by_place) == [100, 200]
    assert sorted(by_place.values()) == [1, 2]
    for step in range(10, 14):
        tracks = tracker.update(detections(PERSON, beside, (300, 100, 340, 200)), step / 10)
    after = dict(zip(tracks.boxes[:, 0].tolist(), tracks.ids.tolist(), strict=True))
    assert after == {**by_place, 300: 3}
