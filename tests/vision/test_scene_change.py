"""Reports of a scene: what is new, gone or moved is reported; jitter and flicker are not."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.vision.detections import Detections
from edgeagent.vision.scene_change import ChangeLimits, SceneChange, has_moved

LIMITS = ChangeLimits(moved=0.25, moves_every_s=10.0, settle_s=0.5, refresh_s=600.0)
PERSON, CAR = 0, 1
LABELS = ("person", "car")
LEFT, RIGHT = (100.0, 100.0, 140.0, 200.0), (500.0, 100.0, 540.0, 200.0)


def scene(*objects: tuple[int, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([box for _, box in objects], np.float32).reshape(-1, 4),
        np.full(len(objects), 0.5, np.float32),
        np.array([label for label, _ in objects], np.int32),
        LABELS,
    )


def shifted(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return box[0] + by, box[1], box[2] + by, box[3]


class Film:
    """A camera with 10 frames a second."""

    def __init__(self) -> None:
        self.change, self.now_ns = SceneChange(LIMITS), 1

    def show(self, found: Detections, seconds: float) -> list[tuple[float, str]]:
        """Show a scene, and return the reports with their seconds from its begin."""
        reports: list[tuple[float, str]] = []
        for frame in range(round(seconds * 10)):
            reason = self.change.reason(found, self.now_ns)
            if reason is not None:
                reports.append((frame / 10, reason))
            self.now_ns += 100_000_000
        return reports


def test_the_first_scene_is_reported_even_without_objects() -> None:
    assert Film().show(scene(), 5.0) == [(0.0, "start")]


def test_a_new_a_vanished_and_another_object_are_reported_once_when_they_have_settled() -> None:
    film = Film()
    film.show(scene(), 1.0)
    assert film.show(scene((PERSON, LEFT)), 5.0) == [(0.5, "objects")]
    assert film.show(scene((PERSON, LEFT), (PERSON, RIGHT)), 5.0) == [(0.5, "objects")]
    assert film.show(scene((PERSON, LEFT), (CAR, RIGHT)), 5.0) == [(0.5, "objects")]
    assert film.show(scene(), 5.0) == [(0.5, "objects")]


def test_an_object_that_flickers_is_not_reported_while_it_stays() -> None:
    film = Film()
    film.show(scene((PERSON, LEFT), (PERSON, RIGHT)), 1.0)
    for _ in range(200):
        assert film.show(scene((PERSON, LEFT)), 0.3) == []
        assert film.show(scene((PERSON, LEFT), (PERSON, RIGHT)), 0.2) == []


def test_a_number_that_never_settles_is_reported_as_often_as_movements() -> None:
    film = Film()
    film.show(scene(), 1.0)
    times = []
    for step in range(300):
        boxes = [shifted(LEFT, 100.0 * place) for place in range(1 + step // 2)]  # a crowd that grows
        times += [step / 10 for _ in film.show(scene(*((PERSON, box) for box in boxes)), 0.1)]
    assert times == [10.0, 20.2]


def test_jitter_is_not_reported_and_a_movement_is_at_a_limited_rate() -> None:
    film, generator = Film(), np.random.default_rng(3)
    film.show(scene((PERSON, LEFT)), 1.0)
    for _ in range(1000):  # 100 s, below a quarter of the 100 pixels of the longer side
        by = float(generator.uniform(-24, 24))
        assert film.show(scene((PERSON, shifted(LEFT, by))), 0.1) == []
    assert film.show(scene((PERSON, shifted(LEFT, 26))), 1.0) == [(0.0, "moved")]
    assert film.show(scene((PERSON, LEFT)), 20.0) == [(9.0, "moved")]


def test_an_object_that_jumps_to_another_place_has_moved() -> None:
    film = Film()
    film.show(scene((PERSON, LEFT), (CAR, LEFT)), 11.0)
    assert film.show(scene((PERSON, RIGHT), (CAR, LEFT)), 1.0) == [(0.0, "moved")]
    film.show(scene((PERSON, RIGHT), (CAR, LEFT)), 11.0)
    assert film.show(scene((PERSON, LEFT), (CAR, RIGHT)), 1.0) == [(0.0, "moved")]


def test_the_order_of_detections_does_not_matter() -> None:
    film = Film()
    film.show(scene((PERSON, LEFT), (CAR, RIGHT), (PERSON, RIGHT)), 11.0)
    assert film.show(scene((CAR, RIGHT), (PERSON, RIGHT), (PERSON, LEFT)), 20.0) == []


def test_a_quiet_scene_is_refreshed() -> None:
    assert Film().show(scene((PERSON, LEFT)), 1201.0) == [
        (0.0, "start"),
        (600.0, "refresh"),
        (1200.0, "refresh"),
    ]


def test_another_model_is_reported() -> None:
    film, found = Film(), scene((PERSON, LEFT))
    film.show(found, 1.0)
    other = Detections(found.boxes, found.scores, found.classes, ("dog", "cat"))
    assert film.show(other, 1.0) == [(0.0, "objects")]


@pytest.mark.parametrize("count", [1, 5, 300])
def test_movement_in_scenes_of_any_size(count: int) -> None:
    boxes = [(50.0 * place, 0.0, 50.0 * place + 20, 40.0) for place in range(count)]
    before = scene(*((PERSON, box) for box in boxes))
    assert not has_moved(before, before, 0.25)
    moved = scene(*((PERSON, box) for box in [*boxes[:-1], shifted(boxes[-1], 11.0)]))
    assert has_moved(before, moved, 0.25)


def test_boxes_without_an_area_have_a_size() -> None:
    point = scene((PERSON, (5.0, 5.0, 5.0, 5.0)))
    assert not has_moved(point, point, 0.25)
    assert has_moved(point, scene((PERSON, (6.0, 5.0, 6.0, 5.0))), 0.25)
    assert not has_moved(scene(), scene(), 0.25)
