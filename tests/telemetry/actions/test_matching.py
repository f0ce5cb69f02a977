"""Rules: kinds, places, labels, armed, schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from edgeagent.settings.sections.actions import ConditionSettings
from edgeagent.telemetry.actions.matching import is_for
from tests.telemetry.actions.events import action_event

NOON, NIGHT = datetime(2026, 11, 29, 12), datetime(2026, 11, 29, 23)


def on(**more: Any) -> ConditionSettings:
    return ConditionSettings.model_validate({"events": ["zone.occupied", "object.new"], **more})


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"events": ["zone.free"]}, False),
        ({"cameras": ["yard"], "zones": ["gate"]}, True),
        ({"cameras": ["door"]}, False),
        ({"zones": ["yard"]}, False),
        ({"lines": ["door"]}, True),  # says something about lines only
        ({"labels": ["person"]}, True),  # an occupied zone has no label
        ({"schedule": {"begin": "22:00", "end": "06:00"}}, False),
    ],
)
def test_all_conditions_must_hold(conditions: dict[str, Any], holds: bool) -> None:
    assert is_for(on(**conditions), action_event(), True, NOON) is holds


def test_labels_schedules_and_arming() -> None:
    dog = action_event(event="object.new", zone=None, label="dog")
    assert is_for(on(labels=["dog"]), dog, True, NOON)
    assert not is_for(on(labels=["person"]), dog, True, NOON)
    assert is_for(on(schedule={"begin": "22:00", "end": "06:00"}), dog, True, NIGHT)
    assert not is_for(on(), dog, False, NOON)
    assert is_for(on(armed=False), dog, False, NOON)
