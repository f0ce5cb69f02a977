"""Deployment record of a device: its good models, the deployment in progress, and the models bad here.

::

    idle -> fetching -> verifying -> staged -> gating -> trial -> good
                 \\          \\          \\         \\        \\
                  +----------+----------+---------+        +-> rolled back (reason)
                             rejected (reason)

Each transition is written durably before it takes effect. ``good``, ``rolled back`` and ``rejected`` are
final; the next target release begins a new deployment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, StringConstraints

from edgeagent.bundle.section import Name, Version
from edgeagent.telemetry.contract.deployment import State

SCHEMA_VERSION: Literal[1] = 1

Slot = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,200}$")]
FINAL_STATES: tuple[State, ...] = ("good", "rolled_back", "rejected")
TRANSITIONS: dict[State, tuple[State, ...]] = {
    "fetching": ("verifying", "rejected"),
    "verifying": ("staged", "fetching", "rejected"),
    "staged": ("gating", "rejected"),
    "gating": ("trial", "staged", "rejected"),
    "trial": ("good", "rolled_back"),
    "good": (),
    "rolled_back": (),
    "rejected": (),
}
"""Allowed transitions by state; ``verifying`` goes back for a damaged file, ``gating`` after a restart of the
agent."""
DeploymentSource = Literal["channel", "command", "hawkbit"]
"""Origin of a deployment."""


class StateDocument(BaseModel):
    """Base of the JSON documents in the state folder; unknown fields, of newer versions, are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Installed(StateDocument):
    """Model in a slot.

    Attributes:
        slot: name of the slot.
        name, version: of its bundle.
        sequence: position in its channel.
    """

    slot: Slot
    name: Name
    version: Version
    sequence: NonNegativeInt


class Deployment(StateDocument):
    """Deployment of a model.

    Attributes:
        model: that is deployed.
        state: of the deployment.
        reason: why it was rejected or rolled back.
        since: UTC of the last transition, ISO 8601; for display only, as the clock may be wrong.
        spent_s: seconds that earlier runs of the agent spent on it, for the deadline.
        starts: starts of the agent with this model in gate or trial that have not ended cleanly.
        strikes: crashes and hangs during the trial.
        bytes: size of the files that this board needs; None before the manifest is fetched.
        source: its origin.
        action: id of hawkBit's action; None without one.
    """

    model: Installed
    state: State
    reason: str | None = None
    since: str
    spent_s: Annotated[float, Field(ge=0)] = 0.0
    starts: NonNegativeInt = 0
    strikes: NonNegativeInt = 0
    bytes: PositiveInt | None = None
    source: DeploymentSource = "channel"
    action: str | None = None


class BadModel(StateDocument):
    """Model that was rejected or rolled back here; it is tried again only after a command.

    Attributes:
        slot: name of its slot.
        reason: why.
        since: UTC, ISO 8601.
    """

    slot: Slot
    reason: str
    since: str

    @property
    def model(self) -> str:
        """Name and version, as in a pin."""
        return " ".join(self.slot.rsplit("-", 2)[:2])


class Record(StateDocument):
    """Deployment record, the content of ``record.json``.

    Attributes:
        current: good model, which serves unless another is on trial; None is the configured bundle.
        previous: good model before it.
        deployment: last deployment, in progress or final.
        bad: models that are not tried again, newest last.
        pinned: ``name version`` that an operator chose; other releases are ignored.
        withdrawn: slots of good models that the channel has withdrawn; a rollback does not lead to them.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    current: Installed | None = None
    previous: Installed | None = None
    deployment: Deployment | None = None
    bad: tuple[BadModel, ...] = ()
    pinned: str | None = None
    withdrawn: tuple[Slot, ...] = ()
