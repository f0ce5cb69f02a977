"""What the launcher tells the version that it starts, and what that tells the record.

The facts are in the environment variable :data:`VARIABLE`; a program that was started otherwise has none, and
is not updated.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.launcher.record import AgentRecord, change_agent_record

logger = logging.getLogger(__name__)

VARIABLE = "EDGEAGENT_LAUNCHED"
_came_up: set[Launched] = set()
"""Starts of this process for which :func:`note_up` was called."""


@dataclass(frozen=True)
class Launched:
    """Facts of a start by the launcher.

    Attributes:
        folder: of the agent's versions.
        package: environment of the package.
        packaged: its version.
        slot: of the version that was started; None is the packaged one.
        trial: whether it is on trial.
        arguments: of the command line, such as ``run -c FILE``.
    """

    folder: str
    package: str
    packaged: str
    slot: str | None
    trial: bool
    arguments: tuple[str, ...]

    def variable(self) -> dict[str, str]:
        """Return the environment variable."""
        return {VARIABLE: json.dumps(asdict(self))}

    @property
    def path(self) -> Path:
        """Folder of the agent's versions."""
        return Path(self.folder)


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """Return the facts of this start; None where the launcher has not started this process."""
    try:
        data = json.loads(environment[VARIABLE])
        names = Launched.__dataclass_fields__
        given = {name: value for name, value in data.items() if name in names}
        return Launched(**{**given, "arguments": tuple(given["arguments"])})
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def note_up(start: Launched | None) -> None:
    """Note that a version is up, or has said why it cannot work: earlier starts no longer count.

    The starts of a version on trial count until its probation ends.
    """
    if start is None:
        return
    _came_up.add(start)
    if start.slot is None or start.trial:
        return
    _change(start, lambda record: replace(record, starts=0))


def note_clean_end(start: Launched | None) -> None:
    """Take back the count of a start that was asked to stop after it had come up.

    One that was asked before that counts: systemd ends a version that hangs at its start by the same signal.
    """
    if start is None or not start.trial or start not in _came_up:
        return

    def taken_back(record: AgentRecord) -> AgentRecord:
        trial = record.trial
        if trial is None or trial.slot != start.slot or not trial.starts:
            return record
        return replace(record, trial=replace(trial, starts=trial.starts - 1))

    _change(start, taken_back)


def _change(start: Launched, change: Callable[[AgentRecord], AgentRecord]) -> None:
    try:
        change_agent_record(start.path, change)
    except EdgeagentError as error:
        logger.warning("%s; this start counts as one that did not come up", error)


def utc_now() -> str:
    """Return the time in UTC, ISO 8601, for display."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
