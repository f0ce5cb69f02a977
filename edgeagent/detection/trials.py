"""Trials of the candidates of one bundle: each is started in a worker, checked and timed.

::

    artefacts of the bundle x delegates of the catalogue = candidates
        -> its needs are met, and the machine did not go down in an earlier trial
        -> START in the journal -> worker loads it -> golden pictures right? -> latency -> END or ERROR
        -> verdict

A verdict depends on the artefact, the delegate, the versions of all packages and the board. Right ones are
kept under a key of these, so that the next start tries only what is new and what failed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.detection.latency import NotTimedError, time_alone
from edgeagent.detection.records import TrialRecords, TrialVerdict
from edgeagent.detection.starting import (
    LOW_PRIORITY_DEADLINE_S,
    LOWEST_PRIORITY,
    DetectorSpec,
    WorkerDetector,
    WorkerOptions,
    start_detector,
)
from edgeagent.detection.trial_key import trial_key
from edgeagent.engines.availability import availability
from edgeagent.engines.engine import Engine
from edgeagent.errors import BundleError, EdgeagentError, EngineError
from edgeagent.worker.engine import WorkerStarvedError
from edgeagent.worker.protocol import LoadRequest

logger = logging.getLogger(__name__)

RETRY_AFTER_S = (1.0, 3.0)
LEAST_DEADLINE_S, MOST_DEADLINE_S = 0.5, 5.0
DEADLINE_FACTOR = 15  # times the median latency: a worker that could have worked so long counts as hung


class WrongOutputsError(EngineError):
    """The engine does not compute what was trained."""


class NotTriedError(EngineError):
    """A candidate may not be tried, or cannot be on this board."""


Measure = Callable[[Candidate, int], TrialVerdict]
Timed = Callable[[WorkerDetector], float]


class CandidateTrials:
    """Tries, starts and checks the candidates of one bundle on this board.

    Args:
        bundle: verified.
        candidates: from :func:`edgeagent.detection.candidates.find_candidates`.
        workers: how their workers run.
        records: journal and kept verdicts of the board.
        iou_threshold: of non-maximum suppression, 0..1.
    """

    def __init__(
        self,
        bundle: Bundle,
        candidates: Sequence[Candidate],
        workers: WorkerOptions,
        records: TrialRecords,
        iou_threshold: float,
    ) -> None:
        self.bundle, self.candidates = bundle, tuple(candidates)
        self._workers, self._records, self._iou_threshold = workers, records, iou_threshold
        self._checks: dict[str, GoldenCheck] | None = None  # by file, while candidates are tried
        self._known: dict[str, TrialVerdict] = {}

    def verdicts(self, report: Callable[[TrialVerdict], None] = lambda one: None) -> list[TrialVerdict]:
        """Return the verdict on every candidate in order, trying those without a kept one."""
        known = self._records.load()
        found = []
        self._checks = {}
        try:
            for candidate in self.candidates:
                key = self.key(candidate)
                if key not in known:
                    known[key] = self.judge(candidate, self.measure)
                    self._records.keep(known)
                self.learn(known[key])
                found.append(known[key])
                report(known[key])
        finally:
            self._checks = None
        return found

    def kept(self) -> dict[str, TrialVerdict]:
        """Return the kept verdicts by the names of their candidates, trying none."""
        known = self._records.load()
        found = {one.name: known[key] for one in self.candidates if (key := self.key(one)) in known}
        for verdict in found.values():
            self.learn(verdict)
        return found

    def keep(self, verdicts: Iterable[TrialVerdict]) -> None:
        """Keep verdicts for the next start, beside those of other bundles."""
        keys = {one.name: self.key(one) for one in self.candidates}
        known = self._records.load()
        self._records.keep({**known, **{keys[verdict.candidate]: verdict for verdict in verdicts}})

    def learn(self, verdict: TrialVerdict) -> None:
        """Start the candidate of a verdict on its number of threads, with its deadline, from now on."""
        self._known[verdict.candidate] = verdict

    def give_up(self, reason: str) -> None:
        """Record that trials that have not ended are given up."""
        self._records.give_up(reason)

    def beside(self, nicer: int) -> CandidateTrials:
        """Return trials of the same candidates beside the one that serves.

        Args:
            nicer: added to the niceness of the workers; 0 where they could not come back from it.
        """
        workers = replace(
            self._workers, nice=min(LOWEST_PRIORITY, self._workers.nice + nicer), low_priority=True
        )
        return CandidateTrials(self.bundle, self.candidates, workers, self._records, self._iou_threshold)

    @property
    def threads(self) -> tuple[int, ...]:
        """Numbers of threads that are tried."""
        return self._workers.threads

    @property
    def nice(self) -> int:
        """Niceness of the workers, beyond that of this process."""
        return self._workers.nice

    def start(self, candidate: Candidate, *, alone: bool = False) -> WorkerDetector:
        """Start a candidate, checked and warm, on the number of threads that was fastest.

        The thread that calls this must live as long as the detector; see
        :func:`edgeagent.detection.starting.start_detector`.

        Args:
            candidate: to be started.
            alone: whether its calls are run one after the other, on any machine.

        Raises:
            EngineError: it may not be tried, cannot be loaded, or is not right.
            BundleError: its tensors are not those of the bundle.
        """
        with self._recorded(candidate):
            return self._start(candidate, self.threads_of(candidate), serving=True, alone=alone)

    def check(self, candidate: Candidate, engine: Engine) -> None:
        """Compare an engine with the golden outputs; does nothing for a bundle without a golden set.

        Raises:
            EngineError: it fails, or does not compute what was trained.
        """
        if self.bundle.manifest.golden is None:
            return
        golden = self._golden_check(candidate)
        try:
            result = golden.run(engine)
        except BundleError as error:
            raise EngineError(f"{candidate.name}: {error}") from error
        if not result.right:
            fault = (
                "does not find the labelled objects"
                if result.outputs_right
                else "does not compute what was trained"
            )
            raise WrongOutputsError(f"{candidate.name} {fault}: {result.describe()}")

    def _golden_check(self, candidate: Candidate) -> GoldenCheck:
        """Return the golden set of an artefact; its 7 MB are kept only while several candidates are tried."""
        file, kept = candidate.artefact.file, self._checks
        if kept is not None and file in kept:
            return kept[file]
        check = GoldenCheck(self.bundle, candidate.artefact)
        if kept is not None:
            kept[file] = check
        return check

    def deadline_s(self, candidate: Candidate) -> float:
        """Return the seconds that a call may take: a multiple of the median latency, where that is known."""
        if self._workers.low_priority:
            return LOW_PRIORITY_DEADLINE_S
        verdict = self._known.get(candidate.name)
        p50 = verdict.p50_ms if verdict else None
        if p50 is None:
            return MOST_DEADLINE_S
        return min(MOST_DEADLINE_S, max(LEAST_DEADLINE_S, DEADLINE_FACTOR * p50 / 1000))

    def key(self, candidate: Candidate) -> str:
        """Return the key of a trial: name of the candidate, and a hash of all that its verdict depends on."""
        return trial_key(self.bundle.manifest, candidate, self._workers.threads, self._workers.cpus)

    def judge(self, candidate: Candidate, measure: Measure) -> TrialVerdict:
        """Try a candidate now, again after a pause where a failure may pass by itself.

        Args:
            candidate: to be tried.
            measure: starts, checks and times it; see :meth:`measure`.

        Raises:
            NotTimedError: ``measure`` was interrupted.
        """
        waits = iter(RETRY_AFTER_S)
        while True:
            try:
                with self._recorded(candidate):
                    return self._fastest(candidate, measure)
            except NotTimedError:
                raise
            except EdgeagentError as error:
                may_pass = candidate.delegate.retry or isinstance(error, WorkerStarvedError)
                wait_s = next(waits, None) if may_pass and not isinstance(error, NotTriedError) else None
                if wait_s is None:
                    final = isinstance(error, WrongOutputsError) and candidate.delegate.on_processor
                    return TrialVerdict(candidate.name, False, str(error), final=final)
                logger.info("%s: %s; trying again in %g s", candidate.name, error, wait_s)
                time.sleep(wait_s)  # a USB stick that loads its firmware re-enumerates

    def measure(self, candidate: Candidate, threads: int, timed: Timed | None = None) -> TrialVerdict:
        """Start a candidate on a number of threads, check it and time it.

        Args:
            candidate: to be tried.
            threads: of its engine.
            timed: returns the median latency of a started detector in milliseconds; alone by default.

        Raises:
            EdgeagentError: it cannot be started, or is not right.
        """
        started = time.monotonic()
        detector = self._start(candidate, threads)
        load_s = time.monotonic() - started
        try:
            p50_ms = (timed or time_alone)(detector)
        finally:
            detector.engine.close()
        return self.verdict(candidate, detector, p50_ms, load_s)

    def verdict(
        self, candidate: Candidate, detector: WorkerDetector, p50_ms: float, load_s: float | None
    ) -> TrialVerdict:
        """Return the verdict on a candidate that is right."""
        reason = (
            "computes what was trained" if self.bundle.manifest.golden else "runs; no golden set to check"
        )
        facts, p50, load = (
            detector.engine.facts,
            round(p50_ms, 2),
            None if load_s is None else round(load_s, 2),
        )
        return TrialVerdict(candidate.name, True, reason, p50, load, facts.threads, facts.placed)

    @contextlib.contextmanager
    def _recorded(self, candidate: Candidate) -> Iterator[None]:
        """Write begin and end of a trial into the journal.

        Raises:
            NotTriedError: a need of the delegate is missing, or it may not be tried.
        """
        key, missing = self.key(candidate), availability(candidate.delegate).missing
        if missing is not None:
            raise NotTriedError(missing)
        logger.info("%s: on trial", candidate.name)
        try:
            self._records.begin(key, candidate.delegate.needs.hardware)
        except EngineError as error:
            raise NotTriedError(str(error)) from error
        try:
            yield
        except BaseException as error:
            self._records.end(key, str(error) if isinstance(error, EdgeagentError) else "interrupted")
            raise
        self._records.end(key)

    def _fastest(self, candidate: Candidate, measure: Measure) -> TrialVerdict:
        """Measure a candidate on each number of threads, and return the verdict of the fastest."""
        found = [measure(candidate, threads) for threads in self._workers.threads]
        return min(found, key=lambda verdict: verdict.p50_ms or 0.0)

    def threads_of(self, candidate: Candidate) -> int:
        """Return the number of threads that a candidate is started on."""
        verdict = self._known.get(candidate.name)
        return (verdict.threads if verdict else None) or self._workers.threads[0]

    def _start(
        self, candidate: Candidate, threads: int, serving: bool = False, alone: bool = True
    ) -> WorkerDetector:
        outputs = candidate.artefact.outputs
        side_by_side = candidate.delegate.on_processor and not (alone or self._workers.low_priority)
        return start_detector(
            replace(self._request(candidate, threads), side_by_side=side_by_side),
            DetectorSpec(self.bundle.manifest, outputs, candidate.name, self._iou_threshold),
            self.deadline_s(candidate),
            lambda engine: self.check(candidate, engine),
            warm_up=serving,
        )

    def _request(self, candidate: Candidate, threads: int) -> LoadRequest:
        path = self.bundle.artefact_path(candidate.artefact)
        request = self._workers.load_request(path, candidate.delegate, threads)
        return replace(request, sha256=candidate.artefact.sha256)
