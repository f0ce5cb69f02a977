"""Zones: who enters and leaves, who loiters, and when the zone is occupied."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.settings.sections.zones import ObjectFilterSettings, ZoneSettings
from edgeagent.track.zone_occupancy import ZoneOccupancy
from tests.track.placed_tracks import HEIGHT, LABELS, WIDTH, Placed, tracked

INSIDE, OUTSIDE = (0.5, 0.5), (0.1, 0.5)


def zone(**settings: object) -> ZoneOccupancy:
    corners = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
    return ZoneOccupancy(ZoneSettings(name="gate", polygon=corners, **settings))  # type: ignore[arg-type]


def told(observed: ZoneOccupancy, time_s: float, *placed: Placed, ended: tuple[int, ...] = ()) -> list[str]:
    changes = observed.update(tracked(time_s, placed, ended=ended))
    return [f"{change.object_id} {change.what}" for change in changes]


def test_an_object_enters_after_a_while_inside_and_leaves_after_a_while_outside() -> None:
    gate = zone(enter_after=0.3, leave_after=1.0)
    assert told(gate, 0.0, (7, *INSIDE)) == []
    assert told(gate, 0.2, (7, *INSIDE)) == []
    assert told(gate, 0.3, (7, *INSIDE)) == ["7 enter"]
    assert gate.count() == {"person": 1}
    assert told(gate, 5.0, (7, *OUTSIDE)) == []
    assert told(gate, 5.9, (7, *OUTSIDE)) == []
    assert gate.inside() == [7]
    assert told(gate, 6.0, (7, *OUTSIDE)) == ["7 leave"]
    assert gate.count() == {}


def test_a_flicker_at_the_border_is_neither_an_entry_nor_a_leave() -> None:
    gate = zone(enter_after=0.3, leave_after=1.0)
    for step in range(20):
        assert told(gate, step * 0.2, (7, *(OUTSIDE if step % 2 else INSIDE))) == []
    assert told(gate, 4.0, (7, *INSIDE)) == []
    assert told(gate, 4.3, (7, *INSIDE)) == ["7 enter"]
    for step in range(20):
        assert told(gate, 4.5 + step * 0.5, (7, *(INSIDE if step % 2 else OUTSIDE))) == []


def test_one_that_is_hidden_stays_inside_until_its_track_ends() -> None:
    gate = zone(enter_after=0.3, leave_after=1.0)
    told(gate, 0.0, (7, *INSIDE))
    told(gate, 0.3, (7, *INSIDE))
    assert told(gate, 1.8) == []
    assert gate.count() == {"person": 1}
    change = gate.update(tracked(2.3, ended=(7,)))[0]
    assert change.what == "leave"
    assert change.dwell_s == pytest.approx(0.3)
    assert gate.count() == {}


def test_the_zone_is_occupied_and_free_after_a_while() -> None:
    gate = zone(enter_after=0.1, leave_after=0.1, occupied_after=0.5, free_after=2.0)
    told(gate, 0.0)
    assert gate.occupied is False
    told(gate, 1.0, (7, *INSIDE))
    told(gate, 1.1, (7, *INSIDE))
    assert gate.occupied is False
    told(gate, 1.6, (7, *INSIDE))
    assert gate.occupied is True
    told(gate, 1.7, (7, *OUTSIDE))
    told(gate, 1.8, (7, *OUTSIDE))
    assert gate.count() == {}
    told(gate, 2.5, (8, *INSIDE))
    told(gate, 2.7, (8, *INSIDE))  # another is there before it is free
    told(gate, 4.5, (8, *OUTSIDE))
    told(gate, 4.6, (8, *OUTSIDE))
    assert gate.occupied is True
    told(gate, 6.7)
    assert gate.occupied is False


def test_a_camera_that_is_lost_leaves_the_zone_free() -> None:
    gate = zone(enter_after=0.1, occupied_after=0.1)
    for step in range(5):
        told(gate, step / 10, (7, *INSIDE))
    assert gate.occupied is True
    assert [change.what for change in gate.clear()] == ["leave"]
    assert (gate.occupied, gate.count()) == (False, {})


def test_loitering_is_told_once() -> None:
    gate = zone(enter_after=0.1, loiter_after=10.0)
    assert told(gate, 0.0, (7, *INSIDE)) == []
    assert told(gate, 0.1, (7, *INSIDE)) == ["7 enter"]
    assert told(gate, 9.9, (7, *INSIDE)) == []
    assert told(gate, 10.0, (7, *INSIDE)) == ["7 loiter"]
    assert told(gate, 11.0, (7, *INSIDE)) == []


def test_only_objects_of_the_filter_count_and_by_their_anchor() -> None:
    cars = zone(objects=ObjectFilterSettings(labels=("car",)), enter_after=0.1)
    told(cars, 0.0, (7, *INSIDE))
    assert told(cars, 1.0, (7, *INSIDE)) == []
    assert cars.unknown_labels(LABELS) == []
    assert zone(objects=ObjectFilterSettings(labels=("cow",))).unknown_labels(LABELS) == ["cow"]
    head = zone(anchor="top", enter_after=0.1)
    told(head, 0.0, (7, 0.5, 0.75))  # feet below the zone, head in it
    assert told(head, 1.0, (7, 0.5, 0.75)) == ["7 enter"]


def test_a_box_that_leaves_the_picture_stands_on_its_border() -> None:
    corners = ((0.3, 0.5), (0.7, 0.5), (0.7, 1.0), (0.3, 1.0))
    ground = ZoneOccupancy(ZoneSettings(name="ground", polygon=corners, enter_after=0.1))
    told(ground, 0.0, (7, 0.5, 1.3))
    assert told(ground, 1.0, (7, 0.5, 1.3)) == ["7 enter"]


def test_it_counts_as_the_zone_of_supervision_does() -> None:
    supervision = pytest.importorskip("supervision", reason="compares with the package supervision")
    corners = ((0.2, 0.3), (0.8, 0.2), (0.7, 0.9), (0.5, 0.6), (0.3, 0.8))
    pixels = np.array([(x * WIDTH, y * HEIGHT) for x, y in corners]).round().astype(int)
    other = supervision.PolygonZone(polygon=pixels, triggering_anchors=(supervision.Position.BOTTOM_CENTER,))
    ours = ZoneOccupancy(ZoneSettings(name="zone", polygon=corners, enter_after=1e-6))
    random = np.random.default_rng(4)
    differ = 0
    for start in range(0, 2000, 100):
        placed = [(start + n, *random.uniform(0.05, 0.95, 2).tolist()) for n in range(100)]
        frame = tracked(start, placed)
        ours.update(frame)
        ours.update(tracked(start + 0.5, placed))
        theirs = other.trigger(frame.tracks.to_supervision())
        differ += len(set(np.array(ours.inside())[-200:]) ^ set(frame.tracks.ids[theirs].tolist()))
        ours.update(tracked(start + 0.6, ended=tuple(ours.inside())))
    assert differ <= 20  # of 2000: next to a side, where theirs rounds to whole pixels
