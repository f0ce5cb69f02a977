"""Types of the messages ``deployment`` and ``update`` (docs/mqtt.md)."""

from __future__ import annotations

import json
from typing import Literal

from edgeagent.telemetry.contract.messages import Message

State = Literal["fetching", "verifying", "staged", "gating", "trial", "good", "rolled_back", "rejected"]
"""State of a deployment. The allowed transitions are those of the deployment record."""


ConfigurationState = Literal["fetching", "staged", "trial", "good", "rolled_back", "rejected"]
"""State of the deployment of a signed configuration."""


class ModelReport(Message):
    """Model that passed probation on this device."""

    name: str
    version: str
    sequence: int


class BadReport(Message):
    """Model that was rejected or rolled back and is not retried; ``model`` is name and version."""

    model: str
    reason: str
    since: str


class GateSummary(Message):
    """Results of the gate: measurements of a model on this board before it served."""

    p90_ms: float | None = None
    map50_95: float | None = None
    top1: float | None = None
    miou: float | None = None
    mask_map50_95: float | None = None
    notes: tuple[str, ...]


class AgentReport(Message):
    """Versions of the agent itself on the device, and its update."""

    state: Literal["idle", "fetching", "installing", "checking", "staged", "trial"]
    running: str
    packaged: str
    version: str | None = None
    progress_percent: float | None = None
    waiting: str | None = None
    last_version: str | None = None
    last_state: Literal["good", "rolled_back", "rejected"] | None = None
    last_reason: str | None = None
    previous: str | None = None
    bad: tuple[BadReport, ...]


class BadConfigurationReport(Message):
    """Signed configuration that was rolled back here and is not tried again."""

    version: str
    reason: str
    since: str


class ConfigurationReport(Message):
    """Signed configurations of the device.

    ``serving`` is the version that serves, ``current`` the last good one, each absent where the file of the
    board serves alone; ``version``, ``state`` and ``reason`` are those of the last deployment.
    """

    serving: str | None = None
    current: str | None = None
    previous: str | None = None
    version: str | None = None
    state: Literal["idle"] | ConfigurationState
    reason: str | None = None
    since: str | None = None
    waiting: str | None = None
    local: tuple[str, ...] | None = None
    bad: tuple[BadConfigurationReport, ...]


class DeploymentMessage(Message):
    """``deployment``: state of the last deployment, and the models recorded on the device; retained."""

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
    agent: AgentReport | None = None
    configuration: ConfigurationReport | None = None


class UpdateMessage(Message):
    """``update``: state of a Home Assistant update entity; retained."""

    installed_version: str
    latest_version: str
    title: str
    release_summary: str | None = None
    in_progress: bool
    update_percentage: float | None

    def payload(self) -> bytes:
        """Return the JSON to publish; an absent percentage is null, so that Home Assistant clears it."""
        fields = self.model_dump(exclude_none=True)
        return json.dumps({**fields, "update_percentage": self.update_percentage}).encode()
