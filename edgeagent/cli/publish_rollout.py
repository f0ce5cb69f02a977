"""``edgeagent publish rollout`` and ``rollout watch``: rollout of a release in steps."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from edgeagent.cli.broker_options import add_broker, broker_of
from edgeagent.cli.publish_options import (
    AFTER,
    Actions,
    add_signing,
    add_which,
    opened_for,
    publish,
    secrets_of,
    which_of,
)
from edgeagent.delivery.repository.clock import utcnow
from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake
from edgeagent.publisher.condition import Condition, ConditionResult, parse_condition
from edgeagent.publisher.opening import check_folder
from edgeagent.publisher.rollout_policy import set_rollout
from edgeagent.publisher.rollout_steps import Plan, RolledOut, Steps, read_steps, write_steps
from edgeagent.publisher.signers import Signers, read_config
from edgeagent.publisher.watch import FleetListener, Watch, watch
from edgeagent.settings.types import parse_duration

if TYPE_CHECKING:
    from edgeagent.fleet.rollouts.stored_fleet import StoreJudge

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

WATCH = """\
Subscribe to the fleet over MQTT, or ask its store, and sign the due steps of all rollouts. A step is refused
while the condition holds: the rollout is halted until `--resume`, and the exit code is 8. Files are written
to DIR/repository; copy them to the web server as after any other action."""

WATCH_MORE = f"""\
examples:
  edgeagent publish rollout watch --broker broker.local
  edgeagent publish rollout watch --broker broker.local:8883 --tls --once --listen 60s    by a timer
  edgeagent publish rollout watch --store fleet-data --once     by what `edgeagent fleet ingest` has stored

It reads the retained messages `deployment`, `status`, `info`, `alarm` and `accuracy`, and `telemetry`, of
docs/mqtt.md. Rollouts of models, of configurations and of the agent (`publish agent rollout`) are watched;
conditions of the last two need --broker, as the store does not keep which devices have tried them.

{AFTER}"""


def add_parsers(actions: Actions) -> None:
    """Add the actions."""
    parser = actions.add_parser("rollout", help="roll a release out in steps")
    _fill_rollout(parser)
    watcher = argparse.ArgumentParser(prog=f"{parser.prog} watch")
    _fill_watch(watcher)
    parser.branches = {"watch": watcher}


def _fill_rollout(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = ROLLOUT, ROLLOUT_MORE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_which(parser)
    add_steps(parser)
    parser.set_defaults(run=run_rollout)


def _fill_watch(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = WATCH, WATCH_MORE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_broker(parser, required=False)
    parser.add_argument(
        "--store", metavar="ADDRESS", help="ask the store of `edgeagent fleet ingest` instead of a broker"
    )
    parser.add_argument(
        "--store-password-file", type=Path, metavar="FILE", help="file with the password of a server"
    )
    parser.add_argument(
        "--tenant", default="", metavar="PREFIX", help="topic prefix of the devices in the store; * for all"
    )
    parser.add_argument("--once", action="store_true", help="listen, check one time, and exit")
    parser.add_argument(
        "--listen", default="30s", metavar="TIME", help="time before the first check (default %(default)s)"
    )
    add_signing(parser)
    parser.set_defaults(run=run_watch)


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


def run_watch(arguments: argparse.Namespace) -> int:
    """Sign the due steps of all rollouts."""
    check_folder(arguments.repository)
    if not any(plan.due or plan.halted for plan in read_steps(arguments.repository).plans):
        print("no rollout has a step left")
        return 0
    listen_s = _duration("--listen", arguments.listen)
    if (arguments.broker is None) == (arguments.store is None):
        raise ConfigurationError("give --broker to listen to the fleet, or --store to ask its store")
    if arguments.store is None:
        with FleetListener(broker_of(arguments)) as listener:
            _watch(arguments, listener.judge, listen_s)
        return 0
    with _stored_judge(arguments) as judge:
        _watch(arguments, judge.judge, 0.0)
    return 0


@contextmanager
def _stored_judge(arguments: argparse.Namespace) -> Iterator[StoreJudge]:
    from edgeagent.fleet.rollouts.stored_fleet import StoreJudge
    from edgeagent.fleet.store.opening import open_shared

    store = open_shared(arguments.store, arguments.store_password_file)
    try:
        yield StoreJudge(store, arguments.tenant)
    finally:
        store.close()


def _watch(
    arguments: argparse.Namespace, judge: Callable[[Condition, Plan], ConditionResult], listen_s: float
) -> None:
    uris = read_config(arguments.repository).signers
    signers = Signers(uris, secrets_of(arguments), arguments.key)
    watcher = Watch(arguments.repository, judge, signers, _print)
    watcher.who = arguments.who
    watch(watcher, listen_s, once=arguments.once)


def _print(line: str) -> None:
    print(line)
    sys.stdout.flush()


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
            every_s=_duration("--every", arguments.every) if arguments.every else 1.0,
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


def _duration(option: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if seconds <= 0:
        raise ConfigurationError(f"{option}: expected more than 0 s")
    return seconds
