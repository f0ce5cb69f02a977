"""Trials of the candidates that nobody has tried yet, beside one that serves.

::

    one candidate serves, untimed -> its first frame, or FIRST_FRAME_S seconds
        -> each other one: started at low priority, checked, timed in turn with what serves -> verdict kept
        -> all ranked -> what serves is exchanged for the first choice, once

The agent detects from its first right candidate on, and goes on while others are tried. A candidate that
crashes, hangs or computes wrongly ends in its own process. One that could not be timed, such as because what
serves has failed meanwhile, is tried again once something serves, and at the next start after
:data:`ATTEMPTS`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

from edgeagent.detection.candidates import Candidate
from edgeagent.detection.latency import NotTimedError, ServesFrames, TurnTimer
from edgeagent.detection.ranking import RankedCandidates, log_verdict
from edgeagent.detection.records import TrialVerdict
from edgeagent.detection.starting import WorkerDetector
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.worker.priority import may_return_to, set_niceness

logger = logging.getLogger(__name__)

NICER = 10
"""Added to the niceness of a candidate while it is loaded and checked."""
FIRST_FRAME_S = 10.0
LOOK_S = 0.1
ATTEMPTS = 3
AGAIN_S = 5.0
REPLACED_S = 600.0
"""Longest wait for something to serve again; a start takes minutes on a starved machine."""
STEADIER = 0.95
"""What serves stays the first choice unless another one takes less than this share of its time."""


class ServesMeanwhile(ServesFrames, Protocol):
    """What serves while others are tried; see :class:`edgeagent.detection.serving.ServingDetector`."""

    @property
    def candidate(self) -> Candidate | None:
        """The candidate that serves now; None when none does."""

    @property
    def has_worked(self) -> bool:
        """Whether a frame has gone through what serves."""

    @property
    def load_s(self) -> float | None:
        """Seconds that it took to start and check what serves; None when nothing does."""

    failures: int
    """Number of times that what served was given up."""


class BackgroundTrials:
    """Tries candidates in a thread of its own.

    Args:
        ranked: candidates, some of them untried.
        served: what serves.
        done: called with the ranking of all once they are tried.
        refused: why candidates did not start to serve, by their names; they are not tried again.
    """

    def __init__(
        self,
        ranked: RankedCandidates,
        served: ServesMeanwhile,
        done: Callable[[RankedCandidates], None],
        refused: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._ranked, self._served, self._done = ranked, served, done
        self._refused = dict(refused)
        own = ranked.trials.nice
        self._nicer = NICER if may_return_to(own) else 0
        self._trials = ranked.trials.beside(self._nicer)
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "delegate trials")
        self._trying: str | None = None

    @property
    def trying(self) -> str | None:
        """What is tried now, and how many are left, as text; None when nothing is."""
        return self._trying

    def start(self) -> None:
        """Try the candidates from the first frame on."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Give up the present trial, waiting ``timeout_s`` at most; its worker ends with the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._trials.give_up("the agent was stopped")
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._await_first_frame()
            found = self._try_all()
        finally:
            self._trying = None
        if not self._stopping.is_set():
            self._done(self._ranked.again(found, self._served.candidate, STEADIER))

    def _await_first_frame(self) -> None:
        until = time.monotonic() + FIRST_FRAME_S
        while not self._served.has_worked and time.monotonic() < until and not self._stopping.wait(LOOK_S):
            pass

    def _try_all(self) -> list[TrialVerdict]:
        """Return the verdicts on the candidates that could be judged."""
        found: list[TrialVerdict] = []
        timer = TurnTimer(self._served, self._stopping, self._reference_ms())
        waiting = self._in_order()
        for number, candidate in enumerate(waiting):
            if self._stopping.is_set():
                break
            left = len(waiting) - number - 1
            self._trying = f"{candidate.name}{f' and {left} more' if left else ''}"
            verdict = self._judge(candidate, timer)
            if verdict is not None:
                found.append(verdict)
                self._trials.keep([verdict])
                log_verdict(verdict)
        return found

    def _reference_ms(self) -> float | None:
        serving = self._served.candidate
        return next((verdict.p50_ms for one, verdict in self._ranked.ranked if one == serving), None)

    def _in_order(self) -> Sequence[Candidate]:
        """Return the untried candidates, the one that serves first: the others are compared with it."""
        serving = self._served.candidate
        return sorted(self._ranked.untried, key=lambda one: one != serving)

    def _judge(self, candidate: Candidate, timer: TurnTimer) -> TrialVerdict | None:
        """Return the verdict on a candidate; None where it could not be judged."""
        if candidate.name in self._refused:
            return TrialVerdict(candidate.name, False, self._refused[candidate.name])
        for _ in range(ATTEMPTS):
            failures = self._served.failures
            try:
                verdict = self._trials.judge(candidate, partial(self._measure, timer))
            except NotTimedError as error:
                logger.info("%s was not timed: %s", candidate.name, error)
            else:
                if verdict.right or self._served.failures == failures:
                    return verdict
                logger.info("%s may have failed with what serves; trying again", candidate.name)
            if self._stopping.wait(AGAIN_S) or not self._await_serving():
                return None
        return None

    def _await_serving(self) -> bool:
        """Return whether something serves, waiting while what served is replaced."""
        until = time.monotonic() + REPLACED_S
        while self._served.current(0) is None:
            if time.monotonic() >= until or self._stopping.wait(LOOK_S):
                return False
        return True

    def _measure(self, timer: TurnTimer, candidate: Candidate, threads: int) -> TrialVerdict:
        if self._stopping.is_set():
            raise NotTimedError("the agent stops")
        serving = self._served.current(0)
        serves = serving is not None and candidate == self._served.candidate
        if serving is not None and serves and serving.engine.facts.threads == threads:
            return self._trials.verdict(candidate, serving, timer.time_serving(), self._served.load_s)
        return self._trials.measure(candidate, threads, partial(self._time, timer))

    def _time(self, timer: TurnTimer, detector: WorkerDetector) -> float:
        if self._nicer:
            own = os.getpriority(os.PRIO_PROCESS, 0)
            set_niceness(detector.engine.pid, own + self._ranked.trials.nice)
        return timer.time(detector)
