"""Whether a rule is for an event. Pure functions."""

from __future__ import annotations

from datetime import datetime

from edgeagent.settings.sections.actions import ConditionSettings
from edgeagent.telemetry.actions.action_event import ActionEvent
from edgeagent.track.object_filter import is_within


def is_for(when: ConditionSettings, event: ActionEvent, armed: bool, local: datetime) -> bool:
    """Return whether all conditions of a rule hold.

    Args:
        when: conditions.
        event: to compare.
        armed: whether the device is armed.
        local: local time of the device.
    """
    return (
        event.event in when.events
        and (armed or not when.armed)
        and (not when.cameras or event.camera in when.cameras)
        and (not when.zones or event.zone in when.zones or event.event.startswith("line."))
        and (not when.lines or event.line in when.lines or event.event.startswith("zone."))
        and (not when.labels or event.label is None or event.label in when.labels)
        and (when.schedule is None or is_within(when.schedule, local))
    )
