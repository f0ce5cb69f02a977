"""``edgeagent status``: which models this device has, and how far an update is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edgeagent.delivery.state.device_status import DeviceStatus, read_device_status
from edgeagent.delivery.state.record import Deployment, Installed
from edgeagent.delivery.state.store import FOLDER
from edgeagent.errors import DeliveryError
from edgeagent.settings.file import load_settings
from edgeagent.settings.state import default_state

DESCRIPTION = """\
Show which models this device has: the good one that serves and the one before it, the one that is on its way,
those that are bad here, what gate and probation found, and the slots on the disk. Nothing is changed and the
agent is not disturbed; it need not run.

The exit code is 0 when all is well, also while an update is on its way; 1 when the last update was rejected
or rolled back; 7 when what the device remembers cannot be read."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``status``."""
    parser = commands.add_parser(
        "status",
        help="which models this device has, and how far an update is",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration that names the state folder"
    )
    where.add_argument("--state", type=Path, metavar="DIR", help="state folder; default: the agent's own")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the state; the exit code tells whether all is well."""
    settings = load_settings(arguments.config) if arguments.config else None
    state = arguments.state or (settings.state if settings else None) or default_state()
    situation = read_device_status(state / FOLDER)
    if arguments.json:
        print(json.dumps(_plain(situation), indent=2))
    else:
        for about, text in _lines(situation):
            print(f"{about:<12}{text}")
    if situation.problem is not None:
        return DeliveryError.exit_code
    return 1 if situation.failed else 0


def _plain(situation: DeviceStatus) -> dict[str, object]:
    return {
        "agent": situation.agent,
        "problem": situation.problem,
        "record": situation.record.model_dump(mode="json") if situation.record else None,
        "fetched": situation.fetched,
        "progress": situation.progress,
        "slots": [asdict(slot) for slot in situation.slots],
        "gate": situation.gate.model_dump(mode="json") if situation.gate else None,
        "probation": situation.probation.model_dump(mode="json") if situation.probation else None,
    }


def _lines(situation: DeviceStatus) -> Iterator[tuple[str, str]]:
    record = situation.record
    yield "agent", f"runs, pid {situation.agent}" if situation.agent else "does not run"
    if situation.problem is not None:
        yield "problem", situation.problem
    elif record is None:
        yield "current", "the bundle of the configuration; nothing was delivered here"
    else:
        yield "current", _model(record.current) or "the bundle of the configuration"
        yield "previous", _model(record.previous) or "none"
        if record.deployment is not None:
            yield "deployment", _deployment(record.deployment, situation)
        for about, report in (("gate", situation.gate), ("probation", situation.probation)):
            for finding in report.findings if report else ():
                yield about, f"{finding.check} {finding.outcome}: {finding.sentence}"
        if record.pinned is not None:
            yield "pinned", record.pinned
        for bad in record.bad:
            yield "bad here", f"{bad.slot}: {bad.reason} ({bad.since})"
    for slot in situation.slots:
        yield "slot", f"{slot.slot}  {_size(slot.bytes)}{f'  {slot.use}' if slot.use else ''}"


def _model(model: Installed | None) -> str | None:
    return f"{model.name} {model.version}" if model else None


def _deployment(deployment: Deployment, situation: DeviceStatus) -> str:
    state = deployment.state.replace("_", " ")
    parts = [f"{_model(deployment.model)}: {state}"]
    if deployment.reason is not None:
        parts.append(f"({deployment.reason})")
    if situation.fetched is not None:
        parts.append(_size(situation.fetched))
        if situation.progress is not None and deployment.bytes is not None:
            parts.append(f"of {_size(deployment.bytes)}, {situation.progress:.0%}")
    return f"{' '.join(parts)}, by {deployment.source}, since {deployment.since}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
