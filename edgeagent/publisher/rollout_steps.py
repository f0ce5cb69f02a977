"""Steps of a rollout: the first is signed at once, the others wait in ``steps.json`` until they are due.

Devices follow signed policy only, so a step is a new index of the channel with a higher percentage. A
condition that holds when a step is due halts the rollout until an operator resumes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from edgeagent.bundle.section import Name, Version
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.publisher.condition import Condition, parse_condition
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import STEPS
from edgeagent.settings.sections.delivery import Label

Percent = Annotated[float, Field(gt=0, le=100)]
RolloutKind = Literal["model", "agent", "configuration"]
"""What is rolled out."""
LONGEST_WAIT_S = 315_576_000.0
"""Longest time between two steps: ten years."""
LAST_YEAR = 9000
"""Last year in which a rollout may begin, so that the times of its steps stay in the calendar."""


def _in_calendar(moment: datetime) -> datetime:
    if moment.year > LAST_YEAR:
        raise ValueError(f"expected a time up to the year {LAST_YEAR}")
    return moment


@dataclass(frozen=True)
class RolledOut:
    """Release of a model, version of the agent, or configuration, of which there may be a plan.

    Attributes:
        channel: of it.
        name: of the model; ``edgeagent`` or ``configuration``.
        version: of it.
        kind: of it.
    """

    channel: str
    name: str
    version: str
    kind: RolloutKind = "model"

    @property
    def title(self) -> str:
        """Channel, name and version."""
        return f"{self.channel} {self.name} {self.version}"

    @property
    def command(self) -> str:
        """Command line that changes its rollout, without options."""
        if self.kind == "agent":
            return f"edgeagent publish agent rollout {self.channel} {self.version}"
        named = f"--config {self.version}" if self.kind == "configuration" else f"{self.name} {self.version}"
        return f"edgeagent publish rollout {self.channel} {named}"


def agent_version(channel: str, version: str) -> RolledOut:
    """Return a version of the agent, on all its platforms."""
    return RolledOut(channel, "edgeagent", version, "agent")


def configuration_version(channel: str, version: str) -> RolledOut:
    """Return a version of the configuration."""
    return RolledOut(channel, "configuration", version, "configuration")


class Plan(BaseModel):
    """Rollout plan of one release.

    Attributes:
        channel, name, version, kind: of the release; see :class:`RolledOut`.
        percents: share of the devices at each step, ascending.
        step: index of the signed step.
        every_s: seconds between two steps.
        since: time at which the present step began.
        halt_if: condition; None never halts.
        least_devices: number of devices that must have reported before a step.
        halted: why the rollout is halted; None while it is not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channel: Label
    name: Name
    version: Version
    kind: RolloutKind = "model"
    percents: Annotated[tuple[Percent, ...], Field(min_length=1)]
    step: Annotated[int, Field(ge=0)] = 0
    every_s: Annotated[float, Field(gt=0, le=LONGEST_WAIT_S)]
    since: Annotated[AwareDatetime, AfterValidator(_in_calendar)]
    halt_if: str | None = None
    least_devices: Annotated[int, Field(ge=0)] = 5
    halted: str | None = None

    @property
    def title(self) -> str:
        """Channel, name and version of the release."""
        return self.of.title

    @property
    def of(self) -> RolledOut:
        """What is rolled out."""
        return RolledOut(self.channel, self.name, self.version, self.kind)

    @property
    def due(self) -> datetime | None:
        """Time at which the next step is due; None after the last step."""
        if self.step + 1 >= len(self.percents):
            return None
        return self.since + timedelta(seconds=self.every_s)

    @property
    def condition(self) -> Condition | None:
        """Condition that halts the rollout; None without one."""
        return parse_condition(self.halt_if) if self.halt_if is not None else None


class Steps(BaseModel):
    """Content of ``steps.json``: the plans of all rollouts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    plans: tuple[Plan, ...] = ()

    def find(self, which: RolledOut) -> Plan | None:
        """Return the plan of a release; None without one."""
        return next((plan for plan in self.plans if plan.of == which), None)

    def without(self, which: RolledOut) -> Steps:
        """Return the plans without that of a release."""
        return Steps(plans=tuple(plan for plan in self.plans if plan.of != which))

    def having(self, plan: Plan) -> Steps:
        """Return the plans with a new plan of its release."""
        return Steps(plans=(*self.without(plan.of).plans, plan))


def read_steps(folder: Path) -> Steps:
    """Read ``steps.json``; empty where there is none.

    Raises:
        PublishError: the file cannot be read, or is damaged.
    """
    path = folder / STEPS
    try:
        return read_json(path, Steps)
    except FileNotFoundError:
        return Steps()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except DamagedJsonError as error:
        raise PublishError(f"{path}: {error}; remove it and run `edgeagent publish rollout` again") from None


def write_steps(folder: Path, steps: Steps) -> None:
    """Write ``steps.json`` durably."""
    write_state(folder / STEPS, (steps.model_dump_json(indent=2) + "\n").encode(), shared=True)


def forget_steps(folder: Path, which: RolledOut) -> None:
    """Remove the plan of a release, if there is one.

    Raises:
        PublishError: the plans cannot be read or written.
    """
    steps = read_steps(folder)
    if steps.find(which) is not None:
        write_steps(folder, steps.without(which))
