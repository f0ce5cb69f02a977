"""``edgeagent status``: models of this device, and progress of an update."""

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
Show the models of this device: current and previous good model, deployment in progress, bad models, results
of gate and probation, and the slots on the disk. Nothing is changed; the agent need not run.

Exit code 0: no failure, also while an update is in progress; 1: the last update was rejected or rolled back;
7: the deployment record cannot be read."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``status``."""
    parser = commands.add_parser(
        "status",
        help="show the models of this device and the progress of an update",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration that names the state folder"
    )
    where.add_argument("--state", type=Path, metavar="DIR", help="state folder (default: the agent's)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the status, and return the exit code."""
    settings = load_settings(arguments.config) if arguments.config else None
    state = arguments.state or (settings.state if settings else None) or default_state()
    status = read_device_status(state / FOLDER)
    if arguments.json:
        print(json.dumps(_plain(status), indent=2))
    else:
        for about, text in _lines(status):
            print(f"{about:<12}{text}")
    if status.problem is not None:
        return DeliveryError.exit_code
    return 1 if status.failed else 0


def _plain(status: DeviceStatus) -> dict[str, object]:
    return {
        "agent": status.agent,
        "problem": status.problem,
        "record": status.record.model_dump(mode="json") if status.record else None,
        "fetched": status.fetched,
        "progress": status.progress,
        "slots": [asdict(slot) for slot in status.slots],
        "gate": status.gate.model_dump(mode="json") if status.gate else None,
        "probation": status.probation.model_dump(mode="json") if status.probation else None,
    }


def _lines(status: DeviceStatus) -> Iterator[tuple[str, str]]:
    record = status.record
    yield "agent", f"runs, pid {status.agent}" if status.agent else "does not run"
    if status.problem is not None:
        yield "problem", status.problem
    elif record is None:
        yield "current", "the configured bundle; no model was delivered"
    else:
        yield "current", _model(record.current) or "the configured bundle"
        yield "previous", _model(record.previous) or "none"
        if record.deployment is not None:
            yield "deployment", _deployment(record.deployment, status)
        for about, report in (("gate", status.gate), ("probation", status.probation)):
            for finding in report.findings if report else ():
                yield about, f"{finding.check} {finding.outcome}: {finding.sentence}"
        if record.pinned is not None:
            yield "pinned", record.pinned
        for bad in record.bad:
            yield "bad here", f"{bad.slot}: {bad.reason} ({bad.since})"
    for slot in status.slots:
        yield "slot", f"{slot.slot}  {_size(slot.bytes)}{f'  {slot.use}' if slot.use else ''}"


def _model(model: Installed | None) -> str | None:
    return f"{model.name} {model.version}" if model else None


def _deployment(deployment: Deployment, status: DeviceStatus) -> str:
    state = deployment.state.replace("_", " ")
    parts = [f"{_model(deployment.model)}: {state}"]
    if deployment.reason is not None:
        parts.append(f"({deployment.reason})")
    if status.fetched is not None:
        parts.append(_size(status.fetched))
        if status.progress is not None and deployment.bytes is not None:
            parts.append(f"of {_size(deployment.bytes)}, {status.progress:.0%}")
    return f"{' '.join(parts)}, by {deployment.source}, since {deployment.since}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
