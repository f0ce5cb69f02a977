"""Start of the first of several candidates that works, in the order given."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeagent.detection.candidate_state import CandidateState
from edgeagent.detection.starting import WorkerDetector
from edgeagent.detection.trials import CandidateTrials
from edgeagent.errors import DamagedModelError, EdgeagentError
from edgeagent.timing.progress import Progress
from edgeagent.worker.engine import WorkerStarvedError

logger = logging.getLogger(__name__)

STARVED_AGAIN_S = (1.0, 5.0, 15.0)
"""Pauses at the first start, when the machine is too busy to start any candidate."""
LONGEST_START_S = 1800.0
"""Longest start of a candidate, above all deadlines of workers on a starved machine."""


@dataclass(frozen=True)
class StartedCandidate:
    """A candidate that was started and checked.

    Attributes:
        state: of the candidate.
        detector: in its worker.
        load_s: seconds that it took.
    """

    state: CandidateState
    detector: WorkerDetector
    load_s: float


class CandidateStarter:
    """Starts candidates; one that does not start is postponed.

    Args:
        trials: start and check a candidate.
        progress: of the thread that starts.
        stopping: returns whether to start no more.

    Attributes:
        problems: what was wrong with the candidates of the last call.
        damaged: why a file of the bundle may not be loaded any more; None while none is known to be damaged.
        refused: why candidates did not start, by their names, other than for lack of a processor.
    """

    def __init__(self, trials: CandidateTrials, progress: Progress, stopping: Callable[[], bool]) -> None:
        self._trials, self._progress, self._stopping = trials, progress, stopping
        self._starved = False
        self.problems: list[str] = []
        self.damaged: str | None = None
        self.refused: dict[str, str] = {}

    def start(self, one: CandidateState) -> StartedCandidate:
        """Start a candidate and check it.

        Raises:
            EdgeagentError: it does not start, or is not right.
        """
        began = time.monotonic()
        self._progress.expect(LONGEST_START_S, f"starting engine {one.candidate.delegate.name}")
        try:
            detector = self._trials.start(one.candidate, alone=one.alone)
        except DamagedModelError as error:
            self.damaged = str(error)
            raise
        return StartedCandidate(one, detector, time.monotonic() - began)

    def first(self, candidates: Sequence[CandidateState]) -> StartedCandidate | None:
        """Return the first that starts; None where none does."""
        self.problems = []
        for one in candidates:
            if self._stopping():
                break
            try:
                return self.start(one)
            except WorkerStarvedError as error:
                self._starved = True
                self.problems.append(str(error))
            except EdgeagentError as error:
                self.problems.append(str(error))
                self.refused[one.candidate.name] = str(error)
            one.postpone(usable=False)
        return None

    def patiently(self, candidates: Sequence[CandidateState]) -> StartedCandidate | None:
        """Return the first that starts, trying again when the machine is too busy for any."""
        started = self.first(candidates)
        for pause_s in STARVED_AGAIN_S:
            if started is not None or not self._starved:
                break
            logger.warning("the machine is too busy to start an engine; trying again in %g s", pause_s)
            time.sleep(pause_s)
            self._starved = False
            started = self.first(candidates)
        return started
