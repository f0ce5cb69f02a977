"""Plans of the publisher's folder: read for the page, and halted, resumed or advanced by an operator.

The page has no keys. It changes the plan in ``steps.json`` under the publisher's lock; ``edgeagent publish
rollout watch`` judges the condition, and signs the step. The page shows what the condition is now by the
store; that is kept for :data:`JUDGED_S`, as it reads all devices of the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal, get_args

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.queries.fleet_row import FleetRow
from edgeagent.publisher.condition import Condition, ConditionResult
from edgeagent.publisher.places import locked
from edgeagent.publisher.rollout_steps import Plan, RolledOut, RolloutKind, read_steps, write_steps

PlanAction = Literal["halt", "resume", "advance"]
Judge = Callable[[Condition, Plan], ConditionResult]
JUDGED_S = 60.0


class PlannedRollout(FleetRow):
    """Plan of a rollout, as :class:`edgeagent.publisher.rollout_steps.Plan` has it.

    Attributes:
        channel, name, version, kind: of the release.
        percents: share of the devices at each step.
        step: index of the signed step.
        since: when it was signed.
        due: when the next is due; None after the last.
        halt_if: condition; None never halts.
        least_devices: devices that must have reported before a step.
        halted: why it is halted; None while it is not.
        holds: whether the condition holds now; None where that is unknown, or nothing judges it here.
        numbers: the values of the condition now; None where nothing judges it here.
    """

    channel: str
    name: str
    version: str
    kind: RolloutKind
    percents: tuple[float, ...]
    step: int
    since: datetime
    due: datetime | None
    halt_if: str | None
    least_devices: int
    halted: str | None
    holds: bool | None = None
    numbers: str | None = None


class RolloutPlans:
    """Plans of a folder.

    Args:
        folder: of the publisher.
        judge: judges a condition; None judges none.
    """

    def __init__(self, folder: Path, judge: Judge | None = None) -> None:
        self._folder, self._judge = folder, judge
        self._judged: dict[Plan, tuple[float, ConditionResult]] = {}

    def plans(self) -> list[PlannedRollout]:
        """Return all plans.

        Raises:
            PublishError: they cannot be read.
        """
        return [_shown(plan, self._judgement(plan)) for plan in read_steps(self._folder).plans]

    def _judgement(self, plan: Plan) -> ConditionResult | None:
        """Return what the condition of a rollout under way is now, at most :data:`JUDGED_S` old."""
        if self._judge is None or plan.condition is None or plan.due is None or plan.halted is not None:
            return None
        now = time.monotonic()
        self._judged = {one: kept for one, kept in self._judged.items() if now - kept[0] < JUDGED_S}
        if plan not in self._judged:
            self._judged[plan] = (now, self._judge(plan.condition, plan))
        return self._judged[plan][1]

    def find(self, which: RolledOut) -> PlannedRollout | None:
        """Return the plan of a release; None where there is none."""
        plan = read_steps(self._folder).find(which)
        return None if plan is None else _shown(plan, self._judgement(plan))

    def change(self, which: RolledOut, action: PlanAction, who: str, reason: str) -> None:
        """Change a plan.

        Args:
            which: release.
            action: ``halt``: no further step; ``resume``: as planned again; ``advance``: the next step is
                due now.
            who: does it.
            reason: of a halt.

        Raises:
            ConfigurationError: there is no such plan, or it is not in the state for this.
            PublishError: it cannot be read or written.
        """
        with locked(self._folder, wait=True):
            steps = read_steps(self._folder)
            plan = steps.find(which)
            if plan is None:
                raise ConfigurationError(f"{which.title}: there is no such plan any more")
            write_steps(self._folder, steps.having(_changed(plan, action, who, reason)))


def named_rollout(fields: Mapping[str, str]) -> RolledOut:
    """Return the release that the fields of a form or an address name: channel, name, version and kind."""
    kinds: tuple[RolloutKind, ...] = get_args(RolloutKind)
    kind = next((one for one in kinds if one == fields.get("kind")), kinds[0])
    return RolledOut(fields.get("channel", ""), fields.get("name", ""), fields.get("version", ""), kind)


def dry_run(one: PlannedRollout, action: PlanAction) -> str:
    """Return what an action would do, as a sentence."""
    now, following = one.percents[one.step], one.percents[one.step + 1 : one.step + 2]
    if action == "halt":
        return (
            f"The rollout would stay at {now:g} % of the devices until it is resumed. Devices that have the "
            "release keep it."
        )
    nexts = f"{following[0]:g} %" if following else "no further step"
    judged = f"unless {one.halt_if} holds then" if one.halt_if else "as no condition was given"
    if action == "resume":
        return f"The halt would end; `publish rollout watch` would sign {nexts} when it is due, {judged}."
    return (
        f"`publish rollout watch` would sign the step from {now:g} % to {nexts} at its next check, {judged}."
    )


def _changed(plan: Plan, action: PlanAction, who: str, reason: str) -> Plan:
    if action == "halt":
        if plan.halted is not None:
            raise ConfigurationError(f"{plan.title}: is halted already: {plan.halted}")
        return plan.model_copy(update={"halted": f"halted by {who}: {reason}"})
    if action == "resume":
        if plan.halted is None:
            raise ConfigurationError(f"{plan.title}: is not halted")
        return plan.model_copy(update={"halted": None})
    if plan.halted is not None or plan.due is None:
        raise ConfigurationError(f"{plan.title}: has no next step now; resume it first, or it is complete")
    due_now = datetime.now(timezone.utc) - timedelta(seconds=plan.every_s)
    return plan.model_copy(update={"since": min(plan.since, due_now)})


def _shown(plan: Plan, judgement: ConditionResult | None) -> PlannedRollout:
    return PlannedRollout(
        channel=plan.channel,
        name=plan.name,
        version=plan.version,
        kind=plan.kind,
        percents=plan.percents,
        step=plan.step,
        since=plan.since,
        due=plan.due,
        halt_if=plan.halt_if,
        least_devices=plan.least_devices,
        halted=plan.halted,
        holds=None if judgement is None else judgement.holds,
        numbers=None if judgement is None else judgement.numbers,
    )
