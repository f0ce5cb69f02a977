"""The steps of a rollout: the first is signed at once, the others wait in ``steps.json`` for their time.

Devices obey signed policy only, so a step is a new index of the channel with a higher percentage. A
condition that holds when a step is due halts the rollout until an operator resumes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edgeagent.bundle.manifest import Name, Version
from edgeagent.delivery.repository.channel import Release
from edgeagent.files.atomic import write_state
from edgeagent.files.validation import first_mistake
from edgeagent.publisher.condition import Condition, parse_condition
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import STEPS
from edgeagent.publisher.release import change_release, validated
from edgeagent.publisher.repository import Publication
from edgeagent.settings.sections.delivery import Label

Percent = Annotated[float, Field(gt=0, le=100)]


class Plan(BaseModel):
    """The steps of one release.

    Attributes:
        channel, name, version: of the release.
        percents: all steps, ascending.
        step: index of the one that is signed.
        every_s: seconds between two steps.
        since: when the present step began.
        halt_if: condition; None never halts.
        least_devices: that must tell before a step is judged.
        halted: why it was halted; None while it goes on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    channel: Label
    name: Name
    version: Version
    percents: Annotated[tuple[Percent, ...], Field(min_length=1)]
    step: Annotated[int, Field(ge=0)] = 0
    every_s: Annotated[float, Field(gt=0)]
    since: AwareDatetime
    halt_if: str | None = None
    least_devices: Annotated[int, Field(ge=0)] = 5
    halted: str | None = None

    @property
    def title(self) -> str:
        """Which release."""
        return f"{self.channel} {self.name} {self.version}"

    @property
    def due(self) -> datetime | None:
        """When the next step may be signed; None after the last."""
        if self.step + 1 >= len(self.percents):
            return None
        return self.since + timedelta(seconds=self.every_s)

    @property
    def condition(self) -> Condition | None:
        """The condition that halts it."""
        return parse_condition(self.halt_if) if self.halt_if is not None else None

    def is_of(self, channel: str, name: str, version: str) -> bool:
        """Return whether it is about this release."""
        return (self.channel, self.name, self.version) == (channel, name, version)


class Steps(BaseModel):
    """What ``steps.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    plans: tuple[Plan, ...] = ()

    def without(self, channel: str, name: str, version: str) -> Steps:
        """Return it without the plan of a release."""
        return Steps(plans=tuple(plan for plan in self.plans if not plan.is_of(channel, name, version)))

    def having(self, plan: Plan) -> Steps:
        """Return it with this plan in the place of the release's old one."""
        kept = self.without(plan.channel, plan.name, plan.version).plans
        return Steps(plans=(*kept, plan))


def read_steps(folder: Path) -> Steps:
    """Return the steps that wait.

    Raises:
        PublishError: the file cannot be read, or is damaged.
    """
    path = folder / STEPS
    try:
        return Steps.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Steps()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise PublishError(f"{path}: {first_mistake(error)}; remove it and say `rollout` again") from None


def write_steps(folder: Path, steps: Steps) -> None:
    """Write the steps, durably."""
    write_state(folder / STEPS, (steps.model_dump_json(indent=2) + "\n").encode())


def set_policy(
    publication: Publication, channel: str, name: str, version: str, fields: Mapping[str, Any]
) -> Release:
    """Change fields of the policy of a release, which others of it stay.

    Args:
        publication: to change.
        channel, name, version: of the release.
        fields: of :class:`edgeagent.delivery.repository.channel.Rollout`.

    Raises:
        PublishError: there is no such release, it is withdrawn, or a field is no good.
    """

    def change(old: Release) -> Release:
        if old.withdrawn is not None:
            raise PublishError(
                f"{channel}: {name} {version} is withdrawn ({old.withdrawn}); add a new version"
            )
        data = old.model_dump(mode="json")
        return validated(channel, **{**data, "rollout": {**data["rollout"], **fields}})

    return change_release(publication, channel, name, version, change)
