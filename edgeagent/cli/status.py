"""``edgeagent status``: models of this device, and progress of an update."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.status_engines import engine_lines, read_engines
from edgeagent.cli.status_versions import read_versions, version_lines
from edgeagent.delivery.configuration.device_configuration import (
    DeviceConfiguration,
    effective_settings,
    read_device_configuration,
)
from edgeagent.delivery.state.device_status import DeviceStatus, read_device_status
from edgeagent.delivery.state.record import Deployment, Installed
from edgeagent.delivery.state.store import FOLDER
from edgeagent.delivery.update.device import read_device
from edgeagent.delivery.update.facts import facts_of
from edgeagent.errors import DeliveryError
from edgeagent.files.naming import printable
from edgeagent.settings.file import read_own
from edgeagent.settings.installed import read_configuration
from edgeagent.settings.schema import Settings

DESCRIPTION = """\
Show the models of this device: current and previous good model, deployment in progress, bad models, results
of gate and probation, why an update waits, alarms of delivery, the slots on the disk, the signed
configuration that serves (settings), with the state of the last one, the delegate that is the first choice
and those on trial (engine), and the versions of the agent itself.
Nothing is changed; the agent need not run. The first lines say which configuration and state folder were
read: without options those of the installed service.

Exit code 0: no failure, also while an update is in progress; 1: the last update of the model, of the
configuration or of the agent was rejected or rolled back, or an alarm of delivery is on (the repository has
expired, or will within 3 days, or is refused, or models cannot be delivered);
7: the deployment record cannot be read.

examples:
  edgeagent status                               of the installed service
  edgeagent status --json                        the same as one JSON object, with what `edgeagent publish
                                                 preview --device FILE` needs to know of this device
  edgeagent status --state /srv/edgeagent        of another state folder"""


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
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration that names the state folder (default: /etc/edgeagent/edgeagent.yaml "
        "where it exists)",
    )
    where.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="state folder (default: that of the configuration or the service)",
    )
    add_json_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the status, and return the exit code."""
    file, settings, state = _read(arguments)
    _check_readable(state)
    status, versions = read_device_status(state / FOLDER), read_versions(state)
    signed = read_device_configuration(state / FOLDER)
    engines = read_engines(state, runs=status.agent is not None)
    if arguments.json:
        head: dict[str, object] = {
            "configuration": _text(file),
            "state": str(state),
            "device": _facts(_effective(file, settings, state)),
        }
        more = {
            "engines": engines.plain(),
            "signed_configuration": _signed(signed),
            "versions": versions.plain(),
        }
        give_result(arguments, {**head, **_plain(status), **more})
    else:
        if file is not None:
            print(f"{'config':<12}{printable(file)}")
        print(f"{'state':<12}{printable(state)}{'' if state.is_dir() else ': no agent has used it yet'}")
        for about, text in (
            *_lines(status),
            *engine_lines(engines),
            *_signed_lines(signed),
            *version_lines(versions),
        ):
            print(f"{about:<12}{text}")
    if status.problem is not None:
        return DeliveryError.exit_code
    return 1 if status.failed or signed.failed or versions.failed else 0


def _read(arguments: argparse.Namespace) -> tuple[Path | None, Settings | None, Path]:
    """Return the configuration file and its settings, None without one, and the state folder."""
    if arguments.state is not None:
        return None, None, arguments.state
    read = read_configuration(arguments.config, "edgeagent status")
    return read.file, read.settings, read.state


def _facts(settings: Settings | None) -> dict[str, object] | None:
    """Return the facts of this device for ``edgeagent publish preview``; None without delivery."""
    if settings is None or settings.delivery is None:
        return None
    device = read_device(settings.device, settings.delivery)
    return facts_of(device, settings.delivery.channel).model_dump(mode="json")


def _effective(file: Path | None, settings: Settings | None, state: Path) -> Settings | None:
    """Return the settings with the signed configuration that serves, which may set the labels."""
    if file is None or settings is None or settings.delivery is None:
        return settings
    return effective_settings(read_own(file), state / FOLDER)[0]


def _check_readable(state: Path) -> None:
    for folder in (state, state / FOLDER):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            raise DeliveryError(
                f"{printable(folder)}: this user may not read the state of the agent; "
                "type: sudo edgeagent status"
            )


def _text(file: Path | None) -> str | None:
    return None if file is None else str(file)


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
        "check": status.check.model_dump(mode="json") if status.check else None,
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
        for withdrawn in record.withdrawn:
            yield "withdrawn", withdrawn
        for bad in record.bad:
            yield "bad here", f"{bad.slot}: {bad.reason} ({bad.since})"
    if status.check is not None:
        for code, text in status.check.problems.items():
            yield "alarm", f"{code}: {text}"
        if status.check.waiting is not None and status.check.waiting not in status.check.problems.values():
            yield "waiting", f"{status.check.waiting} (since {status.check.time})"
    for slot in status.slots:
        yield "slot", f"{slot.slot}  {_size(slot.bytes)}{f'  {slot.use}' if slot.use else ''}"


def _signed(signed: DeviceConfiguration) -> dict[str, object]:
    return {
        "serving": signed.serving.version if signed.serving else None,
        "record": signed.record.model_dump(mode="json", exclude_none=True) if signed.record else None,
        "problem": signed.problem,
        "check": signed.check.model_dump(mode="json") if signed.check else None,
    }


def _signed_lines(signed: DeviceConfiguration) -> Iterator[tuple[str, str]]:
    record, serving = signed.record, signed.serving
    if signed.problem is not None:
        yield "settings", signed.problem
    elif record is not None:
        alone = "the file of this board alone"
        yield "settings", f"signed configuration {serving.version}" if serving is not None else alone
        deployment = record.deployment
        if deployment is not None:
            reason = f" ({deployment.reason})" if deployment.reason is not None else ""
            state = f"{deployment.state.replace('_', ' ')}{reason}, since {deployment.since}"
            yield "settings", f"configuration {deployment.configuration.version}: {state}"
        for bad in record.bad:
            yield "bad here", f"configuration {bad.version}: {bad.reason} ({bad.since})"
    if signed.check is not None:
        for code, text in signed.check.problems.items():
            yield "alarm", f"{code}: {text}"
        if signed.check.waiting is not None:
            yield "waiting", f"{signed.check.waiting} (since {signed.check.time})"


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
