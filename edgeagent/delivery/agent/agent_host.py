"""What the updater of the agent and the running agent know of each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.delivery.update.policy import Device
from edgeagent.launcher.launched import Launched

AgentUpdateState = Literal["idle", "fetching", "installing", "checking", "staged", "trial"]


@dataclass(frozen=True)
class AgentUpdateStatus:
    """Status of the update of the agent.

    Attributes:
        state: what is done now.
        version: that it is about; None while idle.
        progress: fetched share of the archive, 0..1; None when nothing is fetched.
        waiting: why it does not go on; None without a reason.
        refused: what did not verify at the last attempt; None without an error.
    """

    state: AgentUpdateState = "idle"
    version: str | None = None
    progress: float | None = None
    waiting: str | None = None
    refused: str | None = None


@dataclass(frozen=True)
class AgentHost:
    """What the updater needs of the running agent.

    Attributes:
        start: facts of its start.
        device: returns the properties for the policy.
        bundle: returns the directory of the model that serves; None while none does.
        busy: returns why no switch may begin now; None if it may.
        health: returns whether frames are detected, and whether the broker is connected.
        restart: ends this process, so that it is started again.
    """

    start: Launched
    device: Callable[[], Device]
    bundle: Callable[[], Path | None]
    busy: Callable[[], str | None]
    health: Callable[[], tuple[bool, bool]]
    restart: Callable[[], None]
