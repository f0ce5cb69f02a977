"""Records of trials on this board: the journal, and the verdicts that are kept for the next start.

Verdicts of candidates that may serve are kept, and of those that the processor computes wrongly, which only
another version can change. What failed otherwise is tried again at the next start, because what was wrong
(a stick that was not there, a library that was replaced) may have been put right.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from edgeagent.detection.journal import Journal, TrialEvent, open_journal
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json

logger = logging.getLogger(__name__)

MAX_THREADS = 4096
"""More are not believed."""
VERDICTS = "verdicts.json"
"""Name of the kept verdicts in the state folder."""


@dataclass(frozen=True)
class TrialVerdict:
    """Result of a trial.

    Attributes:
        candidate: its name.
        right: whether it may serve.
        reason: why not; or what was checked.
        p50_ms: median latency of one inference through the worker, in milliseconds.
        load_s: seconds from starting the worker to the end of its check.
        threads: number of threads that was fastest.
        placed: share of the operators on the delegate, 0..1; None where that is not known.
        chosen: whether it was the first choice of the last ranking.
        final: whether only another version of the agent, a package or the model can change the verdict.
    """

    candidate: str
    right: bool
    reason: str
    p50_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    load_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    threads: Annotated[int, Field(ge=0, le=MAX_THREADS)] | None = None
    placed: Annotated[float, Field(ge=0, le=1)] | None = None
    chosen: bool = False
    final: bool = False


class TrialRecords:
    """Journal and kept verdicts of one board; several threads may try candidates.

    Args:
        journal: of the board; None where it cannot be kept: delegates with hardware of their own, which might
            take the machine down, are not tried then.
        verdicts: file of kept verdicts; None keeps none.
    """

    def __init__(self, journal: Journal | None, verdicts: Path | None = None) -> None:
        self._journal, self._verdicts = journal, verdicts
        self._order = threading.Lock()
        self._open: Counter[str] = Counter()

    def begin(self, key: str, hardware: bool) -> None:
        """Record that a trial begins.

        Args:
            key: of the trial.
            hardware: whether the delegate has hardware of its own.

        Raises:
            EngineError: the machine went down during this trial before, or might and there is no journal.
        """
        with self._order:
            if self._journal is not None and self._journal.took_down(key):
                raise EngineError(
                    "the machine went down while this was tried; it is not tried again before something new "
                    "is installed, or 'edgeagent doctor --forgive' says so"
                )
            self._write("start", key)
            if self._journal is None and hardware:
                raise EngineError("is not tried without a journal: it might take the machine down")
            self._open[key] += 1

    def end(self, key: str, error: str | None = None) -> None:
        """Record that a trial ended, with the error where it failed.

        Of trials of one key that run at once, the last one to end is written: until then the machine may
        still go down in one of them.
        """
        with self._order:
            if not self._open[key]:
                return  # given up before
            self._open[key] -= 1
            if self._open[key]:
                return
            if error is None:
                self._write("end", key)
            else:
                self._write("error", key, error)

    def give_up(self, reason: str) -> None:
        """Record that all trials that have not ended are given up, such as at the end of the agent."""
        with self._order:
            for key in [key for key, number in self._open.items() if number]:
                self._write("error", key, reason)
            self._open.clear()

    def load(self) -> dict[str, TrialVerdict]:
        """Return the kept verdicts by the keys of their trials."""
        return {} if self._verdicts is None else load_verdicts(self._verdicts)

    def keep(self, verdicts: Mapping[str, TrialVerdict]) -> None:
        """Keep those of the verdicts that are right or final, by the keys of their trials."""
        if self._verdicts is None:
            return
        kept = {key: asdict(verdict) for key, verdict in verdicts.items() if verdict.right or verdict.final}
        try:
            write_state(self._verdicts, json.dumps(kept, indent=1).encode())
        except EdgeagentError as error:
            logger.warning("%s; everything is tried again at the next start", error)

    def _write(self, event: TrialEvent, key: str, reason: str = "") -> None:
        try:
            if self._journal is not None:
                self._journal.write(event, key, reason)
        except EdgeagentError as error:
            logger.error("%s; going on without it", error)
            self._journal = None


def open_records(state: Path | None) -> TrialRecords:
    """Return the records in a state folder; None keeps nothing beyond this process.

    Without a state folder every delegate is tried each time, also one that took the machine down.
    """
    if state is None:
        return TrialRecords(Journal(None))
    return TrialRecords(open_journal(state), state / VERDICTS)


def load_verdicts(path: Path) -> dict[str, TrialVerdict]:
    """Return kept verdicts by their keys; none, with a warning, where the file cannot be read."""
    try:
        return read_json(path, dict[str, TrialVerdict])
    except FileNotFoundError:
        return {}
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: kept verdicts cannot be read (%s); trying all again", path, error)
        return {}
