"""The update of the agent with one of its safeguards left out, to see that the harness notices."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edgeagent.delivery.agent import agent_updater, installation
from edgeagent.files.atomic import sync
from edgeagent.launcher import record, start
from edgeagent.launcher.record import AgentRecord, AgentTrial, AgentVersion


def agent_record_not_synced() -> None:
    """The record is renamed before its content is on the disk."""

    def write(path: Path, content: bytes, *, shared: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(content)
        new.replace(path)
        sync(path.parent)

    record.write_state = write  # type: ignore[attr-defined]


def environment_neither_synced_nor_verified() -> None:
    """A torn environment is started."""
    unsynced = SimpleNamespace(sync=lambda: None, environ=os.environ)
    setattr(installation, "os", unsynced)  # noqa: B010
    start.damage = lambda environment, *, hashed: None  # type: ignore[attr-defined]


def good_at_once() -> None:
    """The switch makes the new version the current one, without a probation."""
    change = record.change_agent_record

    def changed(folder: Path, what: Any) -> AgentRecord:
        def at_once(before: AgentRecord) -> AgentRecord:
            after: AgentRecord = what(before)
            trial = after.trial
            if isinstance(trial, AgentTrial):
                current = AgentVersion(trial.slot, trial.version, trial.sequence)
                return replace(after, current=current, trial=None)
            return after

        return change(folder, at_once)

    setattr(agent_updater, "change_agent_record", changed)  # noqa: B010


AGENT_SABOTAGES = (agent_record_not_synced, environment_neither_synced_nor_verified, good_at_once)
