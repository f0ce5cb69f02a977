"""Reports of gate and probation, stored for telemetry and the status command."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from edgeagent.bundle.task import MeasureField
from edgeagent.delivery.state.record import StateDocument
from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

GATE_REPORT = "gate.json"
PROBATION_REPORT = "probation.json"
"""File names of the last reports in the delivery folder."""

Outcome = Literal["passed", "failed", "absent"]


class GateFinding(StateDocument):
    """Result of a check.

    Attributes:
        check: its name.
        outcome: ``absent`` where it could not be run; the sentence says why.
        sentence: result in words.
        measured: value, in the unit of the sentence; None where nothing was measured.
        limit: that it was compared with; None without one.
        measure: field of the measure of accuracy; None for what is no accuracy.
    """

    check: str
    outcome: Outcome
    sentence: str
    measured: float | None = None
    limit: float | None = None
    measure: MeasureField | None = None


class GateReport(StateDocument):
    """Results of the checks of one model, in order; the gate ends with the first failed one.

    Attributes:
        name, version: of the bundle.
        time: UTC, ISO 8601.
        findings: of the checks.
    """

    name: str
    version: str
    time: str
    findings: tuple[GateFinding, ...]

    @property
    def failure(self) -> GateFinding | None:
        """First failed check; None without one."""
        return next((finding for finding in self.findings if finding.outcome == "failed"), None)


def keep_report(folder: Path, report: GateReport, file: str = GATE_REPORT) -> None:
    """Write a report durably; an error is logged.

    Args:
        folder: of delivery.
        report: to write.
        file: name of the file.
    """
    try:
        write_state(folder / file, report.model_dump_json(indent=1).encode())
    except EdgeagentError as error:
        logger.error("%s; the report is not kept", error)


def load_report(folder: Path, file: str = GATE_REPORT) -> GateReport | None:
    """Return the last report; None where there is none, or it cannot be read.

    Args:
        folder: of delivery.
        file: name of the file.
    """
    try:
        return read_json(folder / file, GateReport)
    except FileNotFoundError:
        return None
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: cannot be read (%s)", folder / file, error)
        return None
