"""How models come and go: the messages ``deployment`` and ``update`` (docs/mqtt.md), and what is an alarm.

All here is arithmetic on what the updater remembers and says.
"""

from __future__ import annotations

import json
from typing import Literal

from edgeagent.telemetry.contract.messages import Message

State = Literal["fetching", "verifying", "staged", "gating", "trial", "good", "rolled_back", "rejected"]
"""Of a deployment; which follows which is in :mod:`edgeagent.delivery.state.record`."""


class ModelReport(Message):
    """A model that is or was good here."""

    name: str
    version: str
    sequence: int


class BadReport(Message):
    """A model that is not tried again here; ``model`` is name and version."""

    model: str
    reason: str
    since: str


class GateSummary(Message):
    """What a model showed on this board before it served."""

    p90_ms: float | None = None
    map50_95: float | None = None
    notes: tuple[str, ...]


class DeploymentMessage(Message):
    """``deployment``: the last model on its way, or at its end, and what is remembered; retained."""

    time: str
    boot_id: str | None = None
    state: Literal["idle"] | State
    name: str | None = None
    version: str | None = None
    sequence: int | None = None
    reason: str | None = None
    progress_percent: float | None = None
    since: str | None = None
    source: Literal["channel", "command", "hawkbit"] | None = None
    rollout: str | None = None
    gate: GateSummary | None = None
    waiting: str | None = None
    current: ModelReport | None = None
    previous: ModelReport | None = None
    pinned: str | None = None
    bad: tuple[BadReport, ...]


class UpdateMessage(Message):
    """``update``: the state of an update entity of Home Assistant; retained."""

    installed_version: str
    latest_version: str
    title: str
    release_summary: str | None = None
    in_progress: bool
    update_percentage: float | None

    def payload(self) -> bytes:
        """Return the JSON to publish; a percentage that is over must be sent as null, or it would stay."""
        fields = self.model_dump(exclude_none=True)
        return json.dumps({**fields, "update_percentage": self.update_percentage}).encode()
