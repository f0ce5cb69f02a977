"""Detector that serves now: a state machine over the ranked candidates of one bundle.

::

    starting ---first that starts---> best | fallback         (none starts: EngineError)

    best | fallback --failure--> replacing --next that starts--> best | fallback
    replacing -------none starts------> not detecting --a retry starts--> best | fallback
    fallback ----a better candidate passes its check again----> best | fallback
    best --the others are tried, another is the first choice----> best
    every state -------stop()---------> stopped

    best            the first choice serves; while some are untried, the first of those that are known
    fallback        another candidate serves; better ones are tried again with back-off
    replacing       what served has failed; frames wait for the next candidate
    not detecting   no candidate starts; each is tried again with back-off

A failure is: the worker died or missed a deadline, :data:`ERRORS_IN_A_ROW` frames failed, or the golden
pictures are not right any more. While none serves, the quickest to load is started first, whether or not its
back-off is over; the candidate that failed is restarted first only after its first crash
(:func:`edgeagent.detection.candidate_state.restart_order`). Every change is reported as a :class:`Change`.

Untried candidates (:attr:`edgeagent.detection.ranking.RankedCandidates.untried`) come after those that are
known to be right. The first one that starts serves, since it was checked; the others are tried beside it
(:mod:`edgeagent.detection.background_trials`), and their ranking is taken up once.

Starting and checking a candidate takes long, so it happens in the thread of this object; the frame path only
calls :meth:`ServingDetector.current`, :meth:`ServingDetector.wait_turn`, :meth:`ServingDetector.worked` and
:meth:`ServingDetector.failed`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.background_trials import BackgroundTrials
from edgeagent.detection.candidate_ranks import CandidateRanks
from edgeagent.detection.candidate_starter import CandidateStarter, StartedCandidate
from edgeagent.detection.candidate_state import CandidateState
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.detector import Detector
from edgeagent.detection.frame_hold import FrameHold
from edgeagent.detection.ranking import RankedCandidates
from edgeagent.detection.serving_state import Change, ServingIntervals, ServingState
from edgeagent.detection.starting import WorkerDetector
from edgeagent.engines.engine import EngineFacts
from edgeagent.errors import DamagedModelError, EdgeagentError, EngineError
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.guarded_thread import LONGEST_S, GuardedThread
from edgeagent.timing.progress import UNLIMITED_S, Progress
from edgeagent.timing.repeat_limit import RepeatLimit
from edgeagent.worker.engine import WorkerDiedError, WorkerHungError

logger = logging.getLogger(__name__)

ERRORS_IN_A_ROW = 3
PING_EVERY_S = 5.0
STOP_S = 1.0
LONGEST_CALL_S = 300.0
"""Longest check, above all deadlines of workers on a starved machine."""


class ServingDetector:
    """Keeps one of the candidates of a bundle serving; see the module for the states.

    The first worker is started in the thread that creates this object and is killed with that thread; it is
    then replaced like any worker that died.

    Args:
        candidates: ranked, the first choice first. One that was not right is tried again with back-off, like
            one that failed while it served.
        on_change: called with every change, in the thread of this object.
        intervals: of checks and retries.

    Attributes:
        progress: of the supervision, for the watchdog.
        failures: number of times that what served was given up.

    Raises:
        EngineError: none of the candidates starts.
    """

    def __init__(
        self,
        candidates: RankedCandidates,
        on_change: Callable[[Change], None] = lambda change: None,
        intervals: ServingIntervals = ServingIntervals(),  # noqa: B008
    ) -> None:
        self._trials, self._on_change, self._intervals = candidates.trials, on_change, intervals
        self._ranks = CandidateRanks(candidates, intervals.retry_first_s, intervals.retry_longest_s)
        self._ranking: RankedCandidates | None = None  # to be taken up
        self._frames = FrameHold()
        self._changed = threading.Condition()
        self._current: WorkerDetector | None = None
        self._serving: CandidateState | None = None
        self._failed: WorkerDetector | None = None
        self._failure: str | None = None
        self._crashed = self._worked = False
        self._errors = self.failures = 0
        self._repeats, self._since_s = RepeatLimit(), time.monotonic()
        self._stopping = False
        self._thread = GuardedThread(self._run, "serving", vital=True)
        self.progress = Progress("supervision of the engine")
        self._facts: EngineFacts
        self._starter = CandidateStarter(self._trials, self.progress, lambda: self._stopping)
        started = self._starter.patiently(self._ranks.start_order())
        self._problems = self._ranks.problems + self._starter.problems
        if started is None:
            raise EngineError("no delegate serves: " + "; ".join(self._problems or _refused(candidates)))
        self._serve(started)
        self._background: BackgroundTrials | None = None
        if candidates.untried:
            self._background = BackgroundTrials(candidates, self, self._rank, self._starter.refused)

    @property
    def bundle(self) -> Bundle:
        """The bundle of the candidates."""
        return self._trials.bundle

    @property
    def candidate(self) -> Candidate | None:
        """The candidate that serves now; None when none does."""
        with self._changed:
            return self._serving.candidate if self._serving else None

    @property
    def facts(self) -> EngineFacts:
        """Facts of the engine that serves, or that served last."""
        return self._facts

    @property
    def load_s(self) -> float | None:
        """Seconds that it took to start and check what serves; None when nothing does."""
        serving = self._serving
        return serving.load_s if serving is not None else None

    @property
    def has_worked(self) -> bool:
        """Whether a frame has gone through what serves."""
        return self._worked

    @property
    def trying(self) -> str | None:
        """Which candidates are tried beside what serves, as text; None when none are."""
        return self._background.trying if self._background is not None else None

    @property
    def serving_state(self) -> ServingState:
        """The state; see the module."""
        with self._changed:
            if self._stopping:
                return "stopped"
            if self._failure is not None:
                return "replacing"
            if self._serving is None:
                return "not detecting"
            return "best" if self._ranks.is_best(self._serving) else "fallback"

    def state(self, reason: str | None = None, took_s: float = 0.0, failure: str | None = None) -> Change:
        """Return what serves now; the reason is by default what was wrong with others at the start."""
        serving = self._serving
        reason = "; ".join(self._problems) if reason is None else reason
        name = serving.candidate.name if serving else None
        best = self._ranks.is_best(serving)
        return Change(name, best, reason, round(took_s, 3), failure, self._starter.damaged)

    def start(self) -> None:
        """Start the supervision, and the trials of untried candidates."""
        self._thread.start()
        if self._background is not None:
            self._background.start()

    def current(self, timeout: float) -> WorkerDetector | None:
        """Return the detector that serves, waiting up to ``timeout`` seconds; None if none does."""
        with self._changed:
            self._changed.wait_for(lambda: self._current is not None or self._stopping, timeout)
            return None if self._stopping else self._current

    def wait_turn(self) -> None:
        """Return once a frame may begin: not while a candidate is timed in turn with what serves."""
        self._frames.wait()

    def hold(self, longest_s: float) -> AbstractContextManager[None]:
        """Let no frame begin inside, for ``longest_s`` seconds at most."""
        return self._frames.hold(longest_s)

    def worked(self, detector: Detector) -> None:
        """Record that a frame went through a detector."""
        if (self._errors or not self._worked) and detector is self._current:
            self._errors, self._worked = 0, True

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Record that a frame failed; gives the detector up when its worker is gone or errors repeat."""
        with self._changed:
            current = self._current
            if current is None or detector is not current or self._failure is not None:
                return
            self._errors += 1
            gone = isinstance(error, (WorkerDiedError, WorkerHungError))
            if gone or self._errors >= ERRORS_IN_A_ROW:
                self._give_up(current, error)

    def stop_trials(self, timeout_s: float = STOP_S) -> None:
        """Give up trials beside what serves, waiting ``timeout_s`` at most, and hold no frame any more."""
        if self._background is not None:
            self._background.stop(timeout_s)
        self._frames.release()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """End the worker, with the calls in flight, and the supervision, waiting ``timeout_s`` at most.

        A candidate that is just starting is closed later.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            detectors = [one for one in (self._current, self._failed) if one is not None]
        deadline = Deadline(timeout_s)
        self.stop_trials(deadline.left_s)
        for detector in detectors:
            detector.engine.close()
        self._current = self._failed = None
        if self._thread.is_alive():
            self._thread.join(deadline.left_s)

    def _run(self) -> None:
        try:
            self._watch()
        except BaseException:
            self.progress.expect(LONGEST_S, "waiting after an internal error")
            raise
        self.progress.expect(UNLIMITED_S, "stopped")

    def _watch(self) -> None:
        checked = pinged = time.monotonic()
        while not self._stopping:
            idle_s = self._idle_s(checked)
            self.progress.expect(idle_s, "waiting for the next check of the engine")
            with self._changed:
                self._changed.wait_for(self._is_wanted, idle_s)
            if self._stopping:
                return
            if self._failure is not None or self._current is None:
                self._replace()
                checked = pinged = time.monotonic()
                continue
            if self._ranking is not None:
                self._take_up(self._ranking)
            now = time.monotonic()
            if now - pinged >= PING_EVERY_S:
                pinged = now
                self._supervise(lambda detector: detector.engine.ping())
            if self._failure is None and now - checked >= self._intervals.check_every_s:
                checked = now
                self._supervise(self._check)
            if self._failure is None:
                self._try_better()

    def _is_wanted(self) -> bool:
        return self._stopping or self._failure is not None or self._ranking is not None

    def _idle_s(self, checked: float) -> float:
        """Return the seconds until something is due."""
        now = time.monotonic()
        check = checked + self._intervals.check_every_s
        return max(0.0, min(PING_EVERY_S, check - now, self._ranks.next_retry(self._serving) - now))

    def _supervise(self, examine: Callable[[WorkerDetector], None]) -> None:
        """Examine the detector that serves; what is wrong with it is a failure like any other."""
        detector = self._current
        if detector is None:
            return
        self.progress.expect(LONGEST_CALL_S, "checking the engine")
        try:
            examine(detector)
        except EdgeagentError as error:
            with self._changed:
                if detector is self._current:
                    self._give_up(detector, error)

    def _give_up(self, detector: WorkerDetector, error: EdgeagentError) -> None:
        """Send no more frames through a detector; with the lock held."""
        self._failed, self._failure, self._current = detector, str(error), None
        self.failures += 1
        self._crashed = isinstance(error, WorkerDiedError)
        self._changed.notify_all()

    def _check(self, detector: WorkerDetector) -> None:
        if self._serving is not None:
            self._trials.check(self._serving.candidate, detector.engine)

    def _replace(self) -> None:
        """Start a candidate in place of the one that failed."""
        began = time.monotonic()
        reason, failed, told = self._failure, self._serving, True
        if failed is not None:
            self._repeats.worked(began - self._since_s)
            told = self._repeats.allows(str(reason), began)
            logger.log(logging.WARNING if told else logging.DEBUG, "%s", reason)
            if self._failed is not None:
                self._failed.engine.close()
            failed.postpone(self._worked)
        self._serving, self._failed = None, None
        started = self._starter.first(self._ranks.restart_order(failed, self._crashed))
        if started is not None:
            self._serve(started)
        with self._changed:
            self._failure = None
        if self._stopping:
            return
        took = time.monotonic() - began
        if self._serving is not None:
            level = logging.WARNING if told else logging.DEBUG
            logger.log(level, "%s serves now, after %.2f s", self._serving.candidate.name, took)
            self._report(reason or "it works again", took, reason)
        elif failed is not None:
            logger.error("not detecting: %s", "; ".join(self._starter.problems))
            self._report(reason or "no delegate works", failure=reason)

    def _try_better(self) -> None:
        """Let a better candidate serve that passes its check."""
        for one in self._ranks.better(self._serving):
            if not one.due or self._stopping:
                continue
            reason = "it passed the check again" if one.failures else "it is the first choice"
            try:
                self._exchange_for(one, reason)
                return
            except EdgeagentError as error:
                logger.info("%s does not work yet: %s", one.candidate.name, error)
                one.postpone(usable=False)
                if isinstance(error, DamagedModelError):
                    self._report(str(error))

    def _exchange_for(self, one: CandidateState, reason: str) -> None:
        """Let a candidate serve in place of the one that serves.

        Raises:
            EdgeagentError: it does not start, or is not right; what serves goes on.
        """
        started, old = self._starter.start(one), self._current
        self._serve(started)
        if old is not None:
            old.engine.close()
        if not self._stopping:
            logger.info("%s serves: %s", one.candidate.name, reason)
            self._report(reason)

    def _rank(self, ranking: RankedCandidates) -> None:
        """Have a ranking of all candidates taken up."""
        with self._changed:
            self._ranking = ranking
            self._changed.notify_all()

    def _take_up(self, ranking: RankedCandidates) -> None:
        """Rank the candidates anew; a better one is started next."""
        was_best = self._ranks.is_best(self._serving)
        with self._changed:
            self._ranking = None
            self._ranks.take_up(ranking, self._serving)
        serving, current = self._serving, self._current
        if serving is None or current is None:
            return
        current.engine.deadline_s = self._trials.deadline_s(serving.candidate)
        wanted = self._trials.threads_of(serving.candidate)
        if self._ranks.is_first(serving) and current.engine.facts.threads != wanted:
            try:
                self._exchange_for(serving, f"it is faster on {wanted} threads")
            except EdgeagentError as error:
                logger.warning("%s goes on as it was: %s", serving.candidate.name, error)
        elif self._ranks.is_best(serving) != was_best:
            self._report("; ".join(self._ranks.problems))

    def _serve(self, started: StartedCandidate) -> None:
        with self._changed:
            if not self._stopping:
                self._serving, self._current, self._errors = started.state, started.detector, 0
                self._facts, self._worked = started.detector.engine.facts, False
                self._since_s = time.monotonic()
                started.state.begin_serving(started.load_s)
                self._changed.notify_all()
                return
        started.detector.engine.close()

    def _report(self, reason: str, took_s: float = 0.0, failure: str | None = None) -> None:
        change, self._starter.damaged = self.state(reason, took_s, failure), None
        self._on_change(change)


def _refused(candidates: RankedCandidates) -> list[str]:
    """Return why no candidate is ranked."""
    refused = [f"{verdict.candidate}: {verdict.reason}" for verdict in candidates.verdicts]
    return refused or ["there is no candidate"]
