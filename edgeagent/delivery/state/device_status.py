"""Status of a device's models, read from its state folder, whether the agent runs or not.

Nothing is locked or changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.delivery.state.check_report import CheckReport, load_check
from edgeagent.delivery.state.record import FINAL_STATES, Deployment, Record
from edgeagent.delivery.state.record_file import read_record
from edgeagent.delivery.state.slots import ModelSlots
from edgeagent.delivery.trial.gate_report import GATE_REPORT, PROBATION_REPORT, GateReport, load_report
from edgeagent.errors import DeliveryError
from edgeagent.files.folder_lock import holder_of


@dataclass(frozen=True)
class SlotUse:
    """Slot on the disk.

    Attributes:
        slot: its name.
        bytes: its size.
        use: ``current``, ``previous``, ``deployment`` or ``bad``; None for one that may be pruned.
    """

    slot: str
    bytes: int
    use: str | None


@dataclass(frozen=True)
class DeviceStatus:
    """Status of a device's models.

    Attributes:
        agent: pid of the agent that uses the folder, or the state folder that it is in; None without one.
        record: deployment record; None where there is none, or it cannot be read.
        problem: why it cannot be read; None otherwise.
        fetched: bytes on the device of a model that is being fetched; None where none is.
        slots: on the disk.
        gate, probation: reports on the deployment's model; None without one.
        check: last result of an update check; None without one.
    """

    agent: int | None
    record: Record | None
    problem: str | None
    fetched: int | None
    slots: tuple[SlotUse, ...]
    gate: GateReport | None = None
    probation: GateReport | None = None
    check: CheckReport | None = None

    @property
    def progress(self) -> float | None:
        """Fetched share of the model that is being fetched, 0..1; None where it is not known."""
        deployment = self.record.deployment if self.record else None
        if self.fetched is None or deployment is None or deployment.bytes is None:
            return None
        return min(1.0, self.fetched / deployment.bytes)

    @property
    def failed(self) -> bool:
        """Whether the last deployment was rejected or rolled back, or an alarm of delivery is on."""
        deployment = self.record.deployment if self.record else None
        ended_badly = deployment is not None and deployment.state in ("rejected", "rolled_back")
        return ended_badly or (self.check is not None and bool(self.check.problems))


def read_device_status(folder: Path) -> DeviceStatus:
    """Return the status of a device's models.

    Args:
        folder: of delivery.
    """
    slots, problem, record = ModelSlots(folder), None, None
    try:
        record = read_record(folder)
    except DeliveryError as error:
        problem = str(error)
    deployment = record.deployment if record else None
    fetching = deployment is not None and deployment.state == "fetching"
    return DeviceStatus(
        _holder(folder) or _holder(folder.parent),  # without delivery an agent locks its state folder only
        record,
        problem,
        slots.fetched(deployment.model) if deployment is not None and fetching else None,
        tuple(SlotUse(slot, size, _use(slot, record)) for slot, size in slots.sizes().items()),
        _report(folder, GATE_REPORT, deployment),
        _report(folder, PROBATION_REPORT, deployment),
        load_check(folder),
    )


def _holder(folder: Path) -> int | None:
    return holder_of(folder.stat().st_ino) if folder.is_dir() else None


def _report(folder: Path, file: str, deployment: Deployment | None) -> GateReport | None:
    """Return a report if it is on the model of the deployment."""
    report = load_report(folder, file) if deployment is not None else None
    if report is None or deployment is None:
        return None
    model = deployment.model
    return report if (report.name, report.version) == (model.name, model.version) else None


def _use(slot: str, record: Record | None) -> str | None:
    if record is None:
        return None
    named = {
        "current": record.current,
        "previous": record.previous,
        "deployment": record.deployment.model if record.deployment else None,
    }
    for use, model in named.items():
        if model is not None and model.slot == slot and (use != "deployment" or _is_open(record)):
            return use
    return "bad" if any(bad.slot == slot for bad in record.bad) else None


def _is_open(record: Record) -> bool:
    return record.deployment is not None and record.deployment.state not in FINAL_STATES
