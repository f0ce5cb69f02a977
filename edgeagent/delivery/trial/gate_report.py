"""What the gate found of a model on this board, kept for people and telemetry."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from edgeagent.delivery.state.record import StateDocument
from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state

logger = logging.getLogger(__name__)

GATE_REPORT = "gate.json"
PROBATION_REPORT = "probation.json"
"""Names of the last reports in the folder ``delivery`` of the agent's state."""

Outcome = Literal["passed", "failed", "absent"]


class GateFinding(StateDocument):
    """One check.

    Attributes:
        check: its name.
        outcome: ``absent`` where it could not be done; the sentence says why.
        sentence: what was found, for people.
        measured: the value, in the unit that the sentence has.
        limit: that it was compared with; None where no limit is asked for.
    """

    check: str
    outcome: Outcome
    sentence: str
    measured: float | None = None
    limit: float | None = None


class GateReport(StateDocument):
    """All checks of one model, in their order; after one that failed there are no more.

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
        """The check that failed, if one did."""
        return next((finding for finding in self.findings if finding.outcome == "failed"), None)


def keep_report(folder: Path, report: GateReport, file: str = GATE_REPORT) -> None:
    """Write a report, durably; where that fails, the log has it."""
    try:
        write_state(folder / file, report.model_dump_json(indent=1).encode())
    except EdgeagentError as error:
        logger.error("%s; the report is not kept", error)


def load_report(folder: Path, file: str = GATE_REPORT) -> GateReport | None:
    """Return the last report; None where there is none that can be read."""
    try:
        return GateReport.model_validate_json((folder / file).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("%s: cannot be read (%s)", folder / file, error)
        return None
