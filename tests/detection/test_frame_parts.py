"""Parts of a frame: crops, and one box for each object whatever parts show it."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.detection.frame_parts import Crop, FrameParts, merge_parts
from edgeagent.vision.detections import Detections

LEFT, RIGHT = (0.0, 0.0, 0.6, 1.0), (0.4, 0.0, 1.0, 1.0)
IMAGE = np.zeros((100, 200, 3), np.uint8)


def found(*boxes: tuple[float, float, float, float], score: float = 0.8, label: int = 0) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), score, np.float32),
        np.full(len(boxes), label, np.int32),
        ("person", "car"),
    )


def crops() -> tuple[Crop, ...]:
    return FrameParts([LEFT, RIGHT]).crops(IMAGE)


def test_the_whole_frame_comes_first_and_crops_are_views() -> None:
    parts = crops()
    assert parts == (Crop(0, 0, 200, 100), Crop(0, 0, 120, 100), Crop(80, 0, 200, 100))
    assert parts[2].view(IMAGE).shape == (100, 120, 3)
    assert np.shares_memory(parts[2].view(IMAGE), IMAGE)
    assert parts[2].to_frame(found((1, 2, 3, 4)), parts[0]).boxes.tolist() == [[81, 2, 83, 4]]


def test_the_crops_follow_the_size_of_the_picture() -> None:
    parts = FrameParts([LEFT])
    assert parts.crops(IMAGE)[1] == Crop(0, 0, 120, 100)
    assert parts.crops(np.zeros((50, 100, 3), np.uint8))[1] == Crop(0, 0, 60, 50)
    assert parts.crops(np.zeros((1, 1, 3), np.uint8)) == (Crop(0, 0, 1, 1), Crop(0, 0, 1, 1))


def test_an_object_that_several_parts_show_is_one_with_the_best_score() -> None:
    merged = merge_parts(
        [found((90, 10, 110, 50), score=0.5), found((91, 10, 111, 51), score=0.9), found((90, 11, 110, 50))],
        crops(),
    )
    assert merged.scores.tolist() == [pytest.approx(0.9)]
    assert merged.labels == ("person", "car")


def test_a_box_that_its_crop_cuts_gives_way_to_the_whole_one() -> None:
    cut = found((100, 10, 120, 50), score=0.95)  # ends at the right side of the left crop
    merged = merge_parts([found(), cut, found((100, 10, 150, 50), score=0.6)], crops())
    assert merged.boxes.tolist() == [[100, 10, 150, 50]]


def test_a_cut_box_that_nothing_else_shows_stays() -> None:
    assert len(merge_parts([found(), found((110, 10, 120, 50)), found()], crops())) == 1


def test_the_side_of_the_picture_cuts_nothing() -> None:
    at_the_side = found((0, 10, 20, 50), score=0.9)
    merged = merge_parts([found((0, 10, 60, 50), score=0.5), at_the_side, found()], crops())
    assert len(merged) == 2


def test_neighbours_in_one_part_and_other_classes_stay() -> None:
    close = found((10, 10, 30, 50), (14, 10, 34, 50))
    merged = merge_parts([found((10, 10, 30, 50), label=1), close, found()], crops())
    assert sorted(merged.classes.tolist()) == [0, 0, 1]


def test_one_part_is_as_it_was_and_many_boxes_are_bounded() -> None:
    alone = found((0, 0, 5, 5), (0, 0, 5, 6))
    assert merge_parts([alone], FrameParts([]).crops(IMAGE)).boxes is not None
    assert len(merge_parts([alone], FrameParts([]).crops(IMAGE))) == 2
    places = np.random.default_rng(0).uniform(0, 60, (900, 2)).astype(np.float32)
    many = found(*[(x, y, x + 1, y + 1) for x, y in places.tolist()])
    assert len(merge_parts([many, many, many], crops())) == 300
