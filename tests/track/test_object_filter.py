"""Filters of objects: every condition alone, and the time of day around midnight."""

from __future__ import annotations

from datetime import datetime

import pytest

from edgeagent.settings.sections.zones import ObjectFilterSettings, ScheduleSettings
from edgeagent.track.object_filter import ObjectFilter, is_within
from tests.track.placed_tracks import tracked

PLACED = [(1, 0.5, 0.5)]


@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ({}, True),
        ({"labels": ("person",)}, True),
        ({"labels": ("car",)}, False),
        ({"labels": ("cow",)}, False),
        ({"min_score": 0.95}, False),
        ({"min_size": 0.009}, False),  # .04 x .2 of the picture is .008
        ({"max_size": 0.007}, False),
        ({"min_size": 0.007, "max_size": 0.009}, True),
        ({"min_aspect": 0.5}, False),  # 40 by 100 pixels
        ({"max_aspect": 0.3}, False),
        ({"min_aspect": 0.3, "max_aspect": 0.5}, True),
        ({"schedule": ScheduleSettings(begin="22:00", end="06:00")}, False),
        ({"schedule": ScheduleSettings(begin="11:00", end="13:00")}, True),
    ],
)
def test_each_condition(settings: dict[str, object], accepted: bool) -> None:
    found = ObjectFilter(ObjectFilterSettings(**settings))  # type: ignore[arg-type]
    assert found.accepts(tracked(0.0, PLACED)).tolist() == [accepted]
    assert found.accepts(tracked(0.0)).tolist() == []


@pytest.mark.parametrize(
    ("at", "within"),
    [
        ("2026-11-27T22:00", True),  # a Friday
        ("2026-11-27T21:59", False),
        ("2026-11-28T05:59", True),  # the night of Friday goes on
        ("2026-11-28T06:00", False),
        ("2026-11-28T22:30", False),  # a Saturday
        ("2026-11-27T05:00", False),  # the night of Thursday
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(at: str, within: bool) -> None:
    night = ScheduleSettings(begin="22:00", end="06:00", days=("fri",))
    assert is_within(night, datetime.fromisoformat(at)) is within


def test_an_end_at_the_beginning_is_a_whole_day() -> None:
    always = ScheduleSettings(begin="08:00", end="08:00")
    assert is_within(always, datetime(2026, 11, 29, 7, 59))
    assert is_within(always, datetime(2026, 11, 29, 8, 0))
