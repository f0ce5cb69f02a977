"""Last result of an update check, for ``edgeagent status``: why the device waits, and alarms of delivery."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import Field

from edgeagent.delivery.state.record import StateDocument
from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.telemetry.contract.messages import ProblemCode

logger = logging.getLogger(__name__)

CHECK_REPORT = "check.json"
"""Name of its file in the delivery folder."""
UNAVAILABLE: ProblemCode = "delivery_unavailable"


class CheckReport(StateDocument):
    """Last result of an update check, or of a step of an update.

    Attributes:
        time: UTC of the last change, ISO 8601.
        waiting: why the device does not move on; None without a reason.
        problems: text of each alarm of delivery that is on, by its code.
    """

    time: str
    waiting: str | None = None
    problems: dict[str, str] = Field(default_factory=dict)


def keep_check(folder: Path, report: CheckReport) -> None:
    """Write the result durably; an error is logged.

    Args:
        folder: of delivery.
        report: to write.
    """
    try:
        write_state(folder / CHECK_REPORT, report.model_dump_json(indent=1).encode())
    except EdgeagentError as error:
        logger.info("%s; the result of the update check is not kept", error)


def load_check(folder: Path) -> CheckReport | None:
    """Return the last result; None where there is none, or it cannot be read.

    A disk that is full or read-only is a problem of its own, as the agent cannot write its result there.

    Args:
        folder: of delivery.
    """
    report = None
    try:
        report = read_json(folder / CHECK_REPORT, CheckReport)
    except FileNotFoundError:
        pass
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: cannot be read (%s)", folder / CHECK_REPORT, error)
    problem = disk_problem(folder)
    if problem is None:
        return report
    report = report or CheckReport(time="")
    return report.model_copy(update={"problems": {**report.problems, UNAVAILABLE: problem}})


def disk_problem(folder: Path) -> str | None:
    """Return why nothing can be written to a folder: a read-only or full disk; None if there is room."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return f"{folder}: the disk is read-only; mount it writable again"
    return f"{folder}: the disk is full; make room" if disk.f_blocks and not disk.f_bavail else None
