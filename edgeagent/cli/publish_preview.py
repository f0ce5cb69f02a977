"""``edgeagent publish preview``: what a device will take, from its facts, without asking it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from edgeagent.bench.table import ABSENT, TextTable
from edgeagent.bench.terminal import show_tables
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.publish_options import Actions, add_folder
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.update.facts import parse_facts
from edgeagent.errors import DeliveryError
from edgeagent.publisher.audience import Prediction, minimum_versions, predict
from edgeagent.publisher.configuration_audience import (
    ConfigurationPrediction,
    parse_configuration_record,
    predict_configuration,
)
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.status import served_indexes

PREVIEW = """\
Predict what a device does with the served releases and configurations: a dry run of the policy that devices
follow, for the facts of one device. Nothing is signed, no key is opened, and the device is not asked.

The facts are the output of `edgeagent status --json` on the device (name, board names, labels, version,
clock, power supply, and its deployment record), or an object that is written by hand:
  {"id": "gate-7", "boards": ["rpi5", "coral"], "labels": ["pilot"], "version": "0.1.0"}

examples:
  ssh gate-7 sudo edgeagent status --json > gate-7.json
  edgeagent publish preview --device gate-7.json
  edgeagent publish preview --device gate-7.json --at 2026-05-01T02:00+02:00"""


def add_parsers(actions: Actions) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "preview",
        help="predict what a device will take",
        description=PREVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--device", type=Path, required=True, metavar="FILE", help="facts of the device, JSON"
    )
    parser.add_argument("--channel", help="channel (default: that of the facts, else stable)")
    parser.add_argument(
        "--at", metavar="TIME", help="clock of the device (default: that of the facts, else now)"
    )
    add_folder(parser)
    add_json_options(parser)
    parser.set_defaults(run=run_preview)


def run_preview(arguments: argparse.Namespace) -> int:
    """Predict what a device does."""
    path: Path = arguments.device
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DeliveryError(f"{path}: cannot be read ({error.strerror})") from None
    facts, record = parse_facts(content, str(path))
    now = datetime.now().astimezone()
    if arguments.at is not None:
        facts = facts.model_copy(update={"time": _time(arguments.at)})
    channel = arguments.channel or facts.channel or "stable"
    index = _index(arguments.repository, channel)
    found = predict(index, facts, record, now, minimum_versions(arguments.repository, index))
    signed = predict_configuration(index, facts, parse_configuration_record(content, str(path)), now)
    time = facts.time or now
    if arguments.json:
        result = {"device": facts.id, "channel": channel, **asdict(found), "configuration": asdict(signed)}
        give_result(arguments, result)
        return 0
    rows = tuple((name, hindrance or "may be fetched") for name, hindrance in found.releases)
    rows += tuple((f"configuration {v}", why or "may be fetched") for v, why in signed.configurations)
    lines = [*_lines(facts.id, time, found), *_configuration_lines(facts.id, signed)]
    show_tables(
        [TextTable(f"channel {channel}", ("", "for this device"), rows or ((ABSENT, ABSENT),))], lines
    )
    return 0


def _lines(name: str, time: datetime, found: Prediction) -> list[str]:
    when = f"at {time:%Y-%m-%d %H:%M %z}"
    if found.takes is None:
        return [f"{name} takes nothing {when}: {found.reason}"]
    lines = [f"{name} takes {found.takes} at its next check {when}: {found.reason}"]
    if found.serves is not None:
        lines.append(f"it is fetched, and does not serve yet: {found.serves}")
    return lines


def _configuration_lines(name: str, found: ConfigurationPrediction) -> list[str]:
    if not found.configurations:
        return []
    if found.takes is None:
        return [f"{name} takes no configuration: {found.reason or 'it has the newest'}"]
    lines = [f"{name} takes configuration {found.takes} at its next check: {found.reason}"]
    if found.serves is not None:
        lines.append(f"it is fetched, and does not serve yet: {found.serves}")
    return lines


def _index(folder: Path, channel: str) -> Channel:
    indexes = served_indexes(folder)
    if channel not in indexes:
        known = ", ".join(sorted(indexes)) or "none"
        raise PublishError(f"{folder}: serves no channel {channel}; it has {known}")
    return indexes[channel]


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise DeliveryError(f"--at: expected such as 2026-05-01T02:00+02:00, got {text!r}") from None
    return time if time.tzinfo is not None else time.astimezone()
