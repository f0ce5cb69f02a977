"""Events of actions, made by hand."""

from __future__ import annotations

from typing import Any

from edgeagent.telemetry.actions.action_event import ActionEvent


def action_event(number: int = 1, **more: Any) -> ActionEvent:
    """Return an event of a zone."""
    about: dict[str, Any] = {"event": "zone.occupied", "zone": "gate", **more}
    return ActionEvent(
        id=f"id{number}", time="2026-11-29T20:00:00.000Z", device="board", camera="yard", **about
    )
