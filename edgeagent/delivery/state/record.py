"""What a device remembers of its models: which is good, which one is on its way, and which are bad here.

::

    idle -> fetching -> verifying -> staged -> gating -> trial -> good
                 \\          \\          \\         \\        \\
                  +----------+----------+---------+        +-> rolled back (reason)
                             rejected (reason)

The record is written durably before the effect of every transition. ``good``, ``rolled back`` and
``rejected`` are ends; the next wish begins a new deployment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, StringConstraints

from edgeagent.bundle.manifest import Name, Version
from edgeagent.telemetry.contract.deployment import State

SCHEMA_VERSION: Literal[1] = 1

Slot = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,200}$")]
ENDS: tuple[State, ...] = ("good", "rolled_back", "rejected")
FOLLOWS: dict[State, tuple[State, ...]] = {
    "fetching": ("verifying", "rejected"),
    "verifying": ("staged", "fetching", "rejected"),
    "staged": ("gating", "rejected"),
    "gating": ("trial", "staged", "rejected"),
    "trial": ("good", "rolled_back"),
    "good": (),
    "rolled_back": (),
    "rejected": (),
}
"""From each state those that may come next; ``verifying`` goes back for a damaged file, ``gating`` after a
restart of the agent."""


class Remembered(BaseModel):
    """Base of what is kept in the record."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Installed(Remembered):
    """A model in a slot.

    Attributes:
        slot: name of its folder.
        name, version: of its bundle.
        sequence: in its channel.
    """

    slot: Slot
    name: Name
    version: Version
    sequence: NonNegativeInt


class Deployment(Remembered):
    """A model on its way.

    Attributes:
        model: which.
        state: how far it is.
        reason: why it was rejected or rolled back.
        since: UTC of the last transition, ISO 8601; for people, a clock may be wrong.
        spent_s: seconds that earlier runs of the agent spent on it, for the deadline.
        starts: runs of the agent that began with this model in its gate or trial and have not ended cleanly.
        strikes: crashes and hangs during the trial.
        bytes: of the files that this board needs of it; None before its manifest is here.
        source: what asked for it: ``channel``, ``command`` or ``hawkbit``.
        action: id of hawkBit's action.
    """

    model: Installed
    state: State
    reason: str | None = None
    since: str
    spent_s: Annotated[float, Field(ge=0)] = 0.0
    starts: NonNegativeInt = 0
    strikes: NonNegativeInt = 0
    bytes: PositiveInt | None = None
    source: Literal["channel", "command", "hawkbit"] = "channel"
    action: str | None = None


class Bad(Remembered):
    """A model that was rejected or rolled back here; it is not tried again unless somebody says so."""

    slot: Slot
    reason: str
    since: str

    @property
    def model(self) -> str:
        """Its name and version, written as in a pin."""
        return " ".join(self.slot.rsplit("-", 2)[:2])


class Record(Remembered):
    """Everything that is remembered.

    Attributes:
        current: the good model that serves, beside a trial; None is the bundle of the configuration.
        previous: the good model before it.
        deployment: the last one, on its way or ended.
        bad: slots that are not tried again, the newest last.
        pinned: ``name version`` that an operator chose; newer releases are left alone.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    current: Installed | None = None
    previous: Installed | None = None
    deployment: Deployment | None = None
    bad: tuple[Bad, ...] = ()
    pinned: str | None = None
