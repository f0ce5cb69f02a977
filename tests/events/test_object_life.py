"""The life of an object: when it is reported, and why it is reported again."""

from __future__ import annotations

from edgeagent.events.object_life import ObjectEvent, ObjectLife
from edgeagent.settings.sections.events import EventSettings
from tests.events.sightings import sighting

SETTINGS = EventSettings(confirm_after=0.5, update_every=5.0, still_after=10.0, path_points=4)


def life(settings: EventSettings = SETTINGS) -> ObjectLife:
    return ObjectLife(settings, "yard", 7, sighting(0.0))


def told(event: ObjectEvent | None) -> str | None:
    return None if event is None else f"{event.what} {event.reason or ''}".strip()


def reported() -> ObjectLife:
    one = life()
    assert told(one.see(sighting(0.5), True)) == "new"
    return one


def test_it_is_reported_once_it_has_lasted() -> None:
    one = life()
    assert one.see(sighting(0.1), True) is None
    assert one.see(sighting(0.4), True) is None
    event = one.see(sighting(0.5), True)
    assert event is not None
    assert (told(event), event.id, event.began_utc_s) == ("new", "1000000.000000-7", 1_000_000.0)
    assert one.see(sighting(0.6), True) is None


def test_one_that_never_counts_is_never_reported() -> None:
    one = life()
    assert one.see(sighting(9.0), False) is None
    assert one.end() is None
    assert told(one.see(sighting(9.1), True)) == "new"  # as soon as it does


def test_a_change_of_zones_is_told_at_once() -> None:
    one = reported()
    event = one.see(sighting(0.6, zones=("gate",)), True)
    assert told(event) == "update zones"
    assert event is not None and event.entered == ("gate",)
    assert one.see(sighting(0.7, zones=("gate",)), True) is None
    event = one.see(sighting(0.8), True)
    assert told(event) == "update zones"
    assert event is not None and (event.now.zones, event.entered) == ((), ("gate",))
    assert told(one.see(sighting(0.9, zones=("gate",)), True, loiters=True)) == "update zones"
    assert told(one.see(sighting(1.0, zones=("gate",)), True, loiters=True)) == "update loiter"


def test_a_better_picture_is_told_at_a_bounded_rate() -> None:
    one = reported()
    assert one.see(sighting(1.0, score=0.95), True) is None
    assert told(one.see(sighting(5.5, score=0.8), True)) == "update picture"
    assert one.see(sighting(10.4, wide=0.2), True) is None
    event = one.see(sighting(10.5), True)
    assert told(event) == "update picture"
    assert event is not None and event.best.time_s == 10.4
    assert one.see(sighting(15.5, wide=0.2), True) is not None  # it moved: no better picture
    assert told(one.see(sighting(20.6, wide=0.2), True)) is None


def test_movement_between_two_updates_is_not_lost() -> None:
    one = reported()
    assert one.see(sighting(1.0, x=0.7), True) is None
    assert told(one.see(sighting(5.5, x=0.7), True)) == "update moved"
    assert one.see(sighting(10.9, x=0.705), True) is None  # jitter


def test_one_that_stands_still_is_told_once_until_it_moves() -> None:
    one = reported()
    event = one.see(sighting(10.0), True)
    assert told(event) == "update still"
    assert event is not None and event.still
    assert one.see(sighting(30.0), True) is None
    event = one.see(sighting(31.0, x=0.7), True)
    assert told(event) == "update moved"
    assert event is not None and not event.still
    assert told(one.see(sighting(41.0, x=0.7), True)) == "update still"


def test_the_end_has_best_picture_and_path() -> None:
    one = reported()
    for step in range(40):
        one.see(sighting(1 + step / 10, x=step / 100, score=0.9 if step == 20 else 0.7), True)
    event = one.end()
    assert event is not None and told(event) == "end"
    assert event.best.score == 0.9
    assert len(event.path) <= 5
    assert [at for at, _ in event.path] == sorted(at for at, _ in event.path)
    assert event.path[0][0] == 0.0 or event.path[0][0] == 0.5
    assert event.path[-1][0] == 4.9


def test_without_path_points_no_path_is_sent() -> None:
    one = life(EventSettings())
    one.see(sighting(1.0), True)
    event = one.end()
    assert event is not None and event.path == ()
    assert len(one.path()) >= 1  # it can be drawn
