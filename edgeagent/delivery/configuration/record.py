"""Record of the signed configurations of a device.

::

    fetching -> staged -> trial -> good
        \\          \\        \\
         +----------+         +-> rolled back (reason)
          rejected (reason)

Each transition is written durably before it takes effect: ``trial`` before the agent starts with the new
configuration, ``good`` after its probation only. ``current`` is the last good one all the while.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from edgeagent.bundle.section import Sha256, Version
from edgeagent.delivery.state.record import StateDocument
from edgeagent.telemetry.contract.deployment import ConfigurationState

FINAL_STATES: tuple[ConfigurationState, ...] = ("good", "rolled_back", "rejected")
TRANSITIONS: dict[ConfigurationState, tuple[ConfigurationState, ...]] = {
    "fetching": ("staged", "rejected"),
    "staged": ("trial", "rejected"),
    "trial": ("good", "rolled_back"),
    "good": (),
    "rolled_back": (),
    "rejected": (),
}
"""Allowed transitions by state."""


class StoredConfiguration(StateDocument):
    """Configuration in a file of the state folder.

    Attributes:
        version: of it.
        sequence: position in its channel.
        sha256: of its file.
    """

    version: Version
    sequence: NonNegativeInt
    sha256: Sha256

    @property
    def slot(self) -> str:
        """Name of its file, without the ending."""
        return f"{self.version}-{self.sha256[:12]}"


class WorkingParts(StateDocument):
    """Parts of the agent that work at a moment.

    Attributes:
        cameras: names of the cameras that deliver frames.
        broker: whether the broker is connected.
        detecting: whether a model serves and has processed a frame.
    """

    cameras: tuple[str, ...] = ()
    broker: bool = False
    detecting: bool = False


class ConfigurationDeployment(StateDocument):
    """Deployment of a configuration.

    Attributes:
        configuration: that is deployed.
        state: of the deployment.
        reason: why it was rejected or rolled back.
        since: UTC of the last transition, ISO 8601; for display only, as the clock may be wrong.
        starts: starts of the agent with it on trial that have not ended cleanly.
        before: what worked before its trial; None before one.
        known_cameras: names of the cameras of the settings before its trial.
        reported: whether its end was published as an event.
    """

    configuration: StoredConfiguration
    state: ConfigurationState
    reason: str | None = None
    since: str
    starts: NonNegativeInt = 0
    before: WorkingParts | None = None
    known_cameras: tuple[str, ...] = ()
    reported: bool = False


class BadConfiguration(StateDocument):
    """Configuration that was rolled back here, and is not tried again.

    Attributes:
        slot: of its file; other content is another configuration.
        version: of it.
        reason: why.
        since: UTC, ISO 8601.
    """

    slot: Annotated[str, Field(max_length=64)]
    version: Version
    reason: str
    since: str


class ConfigurationRecord(StateDocument):
    """Record of configurations, the content of ``record.json``.

    Attributes:
        current: good configuration, which serves unless another is on trial; None is the file of the board
            alone.
        previous: good configuration before it.
        deployment: last deployment, in progress or final.
        bad: configurations that are not tried again, newest last.
        withdrawn: slots of configurations that the channel has withdrawn; a rollback does not lead to them.
    """

    schema_version: Literal[1] = 1
    current: StoredConfiguration | None = None
    previous: StoredConfiguration | None = None
    deployment: ConfigurationDeployment | None = None
    bad: tuple[BadConfiguration, ...] = ()
    withdrawn: tuple[str, ...] = ()

    @property
    def pending(self) -> ConfigurationDeployment | None:
        """The deployment in progress; None without one."""
        deployment = self.deployment
        return deployment if deployment is not None and deployment.state not in FINAL_STATES else None

    @property
    def trial(self) -> ConfigurationDeployment | None:
        """The deployment on trial; None without one."""
        pending = self.pending
        return pending if pending is not None and pending.state == "trial" else None
