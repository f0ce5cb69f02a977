"""Ends that are held until their clips are written, and no longer than agreed."""

from __future__ import annotations

from edgeagent.daemon.held_ends import HeldEnds
from edgeagent.events.object_life import ObjectEvent, ObjectLife
from edgeagent.events.stored_files import NONE
from edgeagent.settings.sections.events import EventSettings
from tests.events.sightings import sighting


def ended(track: int) -> ObjectEvent:
    life = ObjectLife(EventSettings(confirm_after=0.1), "yard", track, sighting(0.0))
    life.see(sighting(1.0), True)
    event = life.end()
    assert event is not None
    return event


def test_an_end_is_told_once_when_its_clip_is_there_or_it_is_late() -> None:
    now = [0.0]
    held = HeldEnds(lambda: now[0])
    one, two, three = ended(1), ended(2), ended(3)
    for event, seconds in ((one, 5.0), (two, 5.0), (three, 9.0)):
        held.hold(event, NONE, seconds)
    taken = held.take(one.id)
    assert taken is not None and taken.event is one
    assert held.take(one.id) is None
    assert held.late() == []
    now[0] = 6.0
    assert [late.event.id for late in held.late()] == [two.id]
    assert [left.event.id for left in held.all()] == [three.id]
    assert held.all() == [] == held.late()
