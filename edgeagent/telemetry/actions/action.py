"""Protocol of actions."""

from __future__ import annotations

from typing import Protocol

from edgeagent.telemetry.actions.action_event import ActionEvent


class Action(Protocol):
    """What a rule does."""

    def start(self) -> None:
        """Start threads."""

    def stop(self, timeout_s: float) -> None:
        """Stop threads; one that takes longer is abandoned."""

    def act(self, event: ActionEvent) -> None:
        """Do it, or have it done; never waits."""
