"""``edgeagent publish rollout``: rollout of a release in steps."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from typing import Any

from pydantic import ValidationError

from edgeagent.cli.publish_options import (
    AFTER,
    Actions,
    add_signing,
    add_which,
    duration_of,
    opened_for,
    publish,
    which_of,
)
from edgeagent.cli.publish_watch import watch_parser
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.publisher.condition import parse_condition
from edgeagent.publisher.rollout_policy import set_rollout
from edgeagent.publisher.rollout_steps import Plan, RolledOut, Steps, read_steps, write_steps

ROLLOUT = """\
Set which devices take a release, and when. Devices follow signed policy only: the first step is signed now,
the others are planned, and `edgeagent publish rollout watch` signs each when it is due. The options replace
the whole policy; --pause and --resume change nothing else."""

ROLLOUT_MORE = f"""\
examples:
  edgeagent publish rollout stable coco-nano 1.1.0 --percent 5,25,100 --every 1d \\
      --halt-if 'p99>control+10% or rollback_rate>2%'
  edgeagent publish rollout stable coco-nano 1.1.0 --percent 100 --cohort pilot,lab \\
      --window 02:00-05:00 --mains-only
  edgeagent publish rollout stable coco-nano 1.1.0 --pause
  edgeagent publish rollout stable --config 1.2.0 --percent 5,100 --every 6h --halt-if 'rollback_rate>2%'
  edgeagent publish rollout watch --help

a condition joins comparisons with and, or (and binds tighter):
  p50 p90 p99                   milliseconds from capture to detections (ms or s)
  rollback_rate rejected_rate   share of the devices that tried this release (%)
  offline_rate alarm_rate       share of those that are offline, or report a problem (%)
  agreement                     boxes that the reference model confirms (%)
  joules                        energy per inference (J or mJ)
`control+` and `control-` before the bound compare with the devices that run another version: p99>control+10%,
agreement<control-3%. It holds where the 99 % interval of the difference is beyond the bound. For a
configuration these are devices with another one, or none, and the same model.
Percentiles are those of all frames of the fleet since watch has seen the release, from the merged histograms
of its devices; they need 5 frames (p50), 64 (p90), 662 (p99). With fewer frames, or fewer devices than
--least-devices, watch says so and waits.

{AFTER}"""


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    parser = actions.add_parser("rollout", help="roll a release out in steps")
    _fill_rollout(parser)
    parser.add_branch(
        "watch", "sign the due steps of all rollouts; see its --help", watch_parser(parser.prog)
    )


def _fill_rollout(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = ROLLOUT, ROLLOUT_MORE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_which(parser)
    add_steps(parser)
    parser.set_defaults(run=run_rollout)


def add_steps(parser: argparse.ArgumentParser) -> None:
    """Add the options of a rollout in steps."""
    parser.add_argument(
        "--percent", metavar="P,P,...", help="share of the devices at each step, such as 5,25,100"
    )
    parser.add_argument("--every", metavar="TIME", help="time between two steps, such as 1h or 1d")
    parser.add_argument("--halt-if", metavar="CONDITION", help="condition that refuses the next step")
    parser.add_argument(
        "--least-devices",
        type=int,
        default=5,
        metavar="N",
        help="devices that must have reported before a step (default 5; 0: none)",
    )
    add_policy(parser)
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--pause", action="store_true", help="no device begins; deployments in progress go on")
    state.add_argument("--resume", action="store_true", help="continue after --pause or a halt")
    add_signing(parser)


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options of the rollout policy."""
    parser.add_argument(
        "--cohort", metavar="LABELS", help="labels of which a device must have one, with commas"
    )
    parser.add_argument("--start", metavar="TIME", help="earliest time, such as 2026-05-01T06:00Z")
    parser.add_argument(
        "--window", metavar="HH:MM-HH:MM", help="local time of day in which it may begin to serve"
    )
    parser.add_argument(
        "--least-battery", type=float, metavar="P", help="minimum charge of a battery in percent"
    )
    parser.add_argument("--mains-only", action="store_true", help="only on external power")


def policy_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of :class:`edgeagent.delivery.repository.channel_entry.Rollout` from the options."""
    begin, dash, end = (arguments.window or "").partition("-")
    if arguments.window and not dash:
        raise ConfigurationError(f"--window: expected such as 02:00-05:00, got {arguments.window!r}")
    return {
        "cohorts": [label for label in (arguments.cohort or "").split(",") if label],
        "start": _start(arguments.start),
        "window": {"begin": begin, "end": end} if arguments.window else None,
        "least_battery_percent": arguments.least_battery,
        "mains_only": arguments.mains_only,
    }


def run_rollout(arguments: argparse.Namespace) -> int:
    """Sign the first step of a model or a configuration and plan the others, or pause, or resume."""
    return roll_out(arguments, which_of(arguments))


def roll_out(arguments: argparse.Namespace, which: RolledOut) -> int:
    """Sign the first step and plan the others, or pause, or resume.

    Args:
        arguments: with the options of :func:`add_steps`.
        which: release.
    """
    switched = arguments.pause or arguments.resume
    if (arguments.percent is None) != switched:
        raise ConfigurationError("give --percent, or one of --pause and --resume")
    if switched:
        plan, done = None, "paused" if arguments.pause else "resumed"
        fields: dict[str, Any] = {"paused": arguments.pause}
    else:
        plan = _plan(arguments, which)
        fields = {**policy_of(arguments), "percent": plan.percents[0], "paused": False}
        done = _steps_text(plan)
    with opened_for(arguments) as publication:
        steps = read_steps(arguments.repository)
        set_rollout(publication, which, fields)
        code = publish(publication, f"{which.title}: {done}", action="rollout")
        changed = _changed_steps(steps, which, plan, resumed=arguments.resume)
        if changed != steps:
            write_steps(arguments.repository, changed)
        return code


def _changed_steps(steps: Steps, which: RolledOut, plan: Plan | None, *, resumed: bool) -> Steps:
    """Return the plans after a step was signed (``plan``), or a rollout paused or resumed."""
    if plan is not None:
        return steps.having(plan) if plan.due else steps.without(which)
    halted = steps.find(which)
    return steps.having(halted.model_copy(update={"halted": None})) if halted and resumed else steps


def _plan(arguments: argparse.Namespace, which: RolledOut) -> Plan:
    try:
        percents = [float(text) for text in arguments.percent.split(",")]
    except ValueError:
        raise ConfigurationError(f"--percent: expected such as 5,25,100, got {arguments.percent!r}") from None
    if percents != sorted(set(percents)):
        raise ConfigurationError(f"--percent: the steps must ascend, got {arguments.percent}")
    if len(percents) > 1 and arguments.every is None:
        raise ConfigurationError("--percent with several steps needs --every")
    if arguments.halt_if is not None:
        parse_condition(arguments.halt_if)
    start = _start(arguments.start)
    try:
        return Plan(
            channel=which.channel,
            name=which.name,
            version=which.version,
            kind=which.kind,
            percents=tuple(percents),
            every_s=duration_of("--every", arguments.every) if arguments.every else 1.0,
            since=max(utcnow(), datetime.fromisoformat(start)) if start else utcnow(),
            halt_if=arguments.halt_if,
            least_devices=arguments.least_devices,
        )
    except ValidationError as error:
        mistake = first_mistake(error)
        raise ConfigurationError(f"rollout: {mistake.place[0]}: {mistake.text} ({mistake.value!r})") from None


def _steps_text(plan: Plan) -> str:
    first, *others = (f"{percent:g} %" for percent in plan.percents)
    if not others:
        return f"for {first} of the devices"
    due = f"{plan.due:%Y-%m-%d %H:%M} UTC"
    return f"for {first} of the devices; `rollout watch` goes on to {', '.join(others)}, first at {due}"


def _start(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ConfigurationError(f"--start: expected such as 2026-05-01T06:00Z, got {text!r}") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"--start: say in which time zone, such as {text}Z or {text}+02:00")
    return moment.astimezone(timezone.utc).isoformat()
