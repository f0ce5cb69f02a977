"""Lines: crossings by direction, once each."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.settings.sections.zones import LineSettings, ObjectFilterSettings
from edgeagent.track.line_crossings import LineCrossings
from tests.track.placed_tracks import HEIGHT, WIDTH, tracked


def line(**settings: object) -> LineCrossings:
    ends = {"begin": (0.2, 0.5), "end": (0.8, 0.5)} | settings
    return LineCrossings(LineSettings(name="door", **ends))  # type: ignore[arg-type]


def walk(observed: LineCrossings, *places: tuple[float, float], identity: int = 1) -> list[str]:
    found = []
    for step, (x, y) in enumerate(places):
        found += observed.update(tracked(step / 10, [(identity, x, y)]))
    return [crossing.direction for crossing in found]


def test_the_side_that_it_comes_from_is_the_direction() -> None:
    door = line()  # from left to right: its right side is below
    assert walk(door, (0.5, 0.4), (0.5, 0.45), (0.5, 0.55)) == ["out"]
    assert walk(door, (0.5, 0.7), (0.5, 0.3), identity=2) == ["in"]
    assert dict(door.totals) == {("person", "in"): 1, ("person", "out"): 1}


def test_one_that_stands_on_the_line_does_not_count_again_and_again() -> None:
    door = line(margin=0.02)
    assert walk(door, (0.5, 0.4), *[(0.5, 0.5 + 0.015 * (-1) ** n) for n in range(20)]) == []
    assert walk(door, (0.5, 0.6)) == ["out"]
    assert walk(door, *[(0.5, 0.5 + 0.015 * (-1) ** n) for n in range(20)], (0.5, 0.6)) == []


def test_passing_beside_the_line_is_no_crossing() -> None:
    assert walk(line(), (0.9, 0.4), (0.9, 0.6)) == []
    assert walk(line(), (0.1, 0.4), (0.1, 0.6)) == []


def test_a_fast_object_that_jumps_over_the_line_counts() -> None:
    assert walk(line(), (0.3, 0.05), (0.7, 0.95)) == ["out"]


def test_a_turn_back_counts_in_both_directions() -> None:
    assert walk(line(), (0.5, 0.4), (0.5, 0.6), (0.5, 0.4)) == ["out", "in"]


def test_the_margin_is_a_share_of_the_height_in_all_directions() -> None:
    upright = line(begin=(0.5, 0.2), end=(0.5, 0.8), margin=0.1)  # 50 of 500 pixels: .05 of 1000
    assert walk(upright, (0.4, 0.5), (0.54, 0.5)) == []
    assert walk(upright, (0.56, 0.5)) == ["in"]


def test_only_objects_of_the_filter_count() -> None:
    assert walk(line(objects=ObjectFilterSettings(labels=("car",))), (0.5, 0.4), (0.5, 0.6)) == []


def test_an_object_that_ended_is_forgotten() -> None:
    door = line()
    walk(door, (0.5, 0.4))
    door.update(tracked(1.0, ended=(1,)))
    assert walk(door, (0.5, 0.6)) == []


def test_it_counts_as_the_line_of_supervision_does() -> None:
    supervision = pytest.importorskip("supervision", reason="compares with the package supervision")
    ours = line(margin=0.0)
    other = supervision.LineZone(
        start=supervision.Point(0.2 * WIDTH, 0.5 * HEIGHT),
        end=supervision.Point(0.8 * WIDTH, 0.5 * HEIGHT),
        triggering_anchors=(supervision.Position.BOTTOM_CENTER,),
    )
    random = np.random.default_rng(8)
    starts, steps = random.uniform(0.25, 0.75, (40, 2)), random.uniform(-0.02, 0.02, (40, 2)) * [0.1, 1]
    for step in range(60):
        places = starts + step * steps
        frame = tracked(step / 10, [(n, *place) for n, place in enumerate(places.tolist())])
        ours.update(frame)
        other.trigger(frame.tracks.to_supervision())
    assert (ours.totals["person", "in"], ours.totals["person", "out"]) == (other.in_count, other.out_count)
    assert other.in_count > 3 < other.out_count
