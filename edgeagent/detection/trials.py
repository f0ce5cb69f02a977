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

import hashlib
import importlib.metadata
import json
import logging
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.detector import WARM_UP_RUNS, WARM_UP_SCORE
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.detection.records import TrialRecords, TrialVerdict
from edgeagent.detection.starting import (
    LOW_PRIORITY_DEADLINE_S,
    DetectorSpec,
    WorkerDetector,
    WorkerOptions,
    start_detector,
)
from edgeagent.engines.availability import availability
from edgeagent.engines.engine import Engine
from edgeagent.errors import BundleError, EdgeagentError, EngineError
from edgeagent.version import __version__
from edgeagent.worker.engine import WorkerStarvedError
from edgeagent.worker.protocol import LoadRequest

logger = logging.getLogger(__name__)

RUNS = 20
RETRY_AFTER_S = (1.0, 3.0)
LEAST_DEADLINE_S, MOST_DEADLINE_S = 0.5, 5.0
DEADLINE_FACTOR = 15  # times the median latency: a worker that could have worked so long counts as hung
PACKAGES = ("onnxruntime", "openvino", "ai-edge-litert", "tflite-runtime", "tensorrt", "hailort")


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
                    known[key] = self._judge(candidate, key)
                    self._records.keep(known)
                verdict = known[key]
                self._known[candidate.name] = verdict
                found.append(verdict)
                report(verdict)
        finally:
            self._checks = None
        return found

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
        key = self.key(candidate)
        self._begin(candidate, key)
        try:
            detector = self._start(candidate, self._threads(candidate), serving=True, alone=alone)
        except EdgeagentError as error:
            self._records.end(key, str(error))
            raise
        self._records.end(key)
        return detector

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
            raise EngineError(f"{candidate.name} {fault}: {result.describe()}")

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
        facts = {
            "agent": __version__,
            "artefact": candidate.artefact.sha256,
            "golden": self.bundle.manifest.golden.sha256 if self.bundle.manifest.golden else None,
            "options": dict(candidate.delegate.options),
            "library": candidate.delegate.library,
            "threads": self._workers.threads,
            "cpus": self._workers.cpus,
            "machine": [platform.machine(), platform.release()],
            "packages": dict(_versions()),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"{candidate.name} {digest[:16]}"

    def _judge(self, candidate: Candidate, key: str) -> TrialVerdict:
        """Try a candidate now, again after a pause where a failure may pass by itself."""
        waits = iter(RETRY_AFTER_S)
        while True:
            try:
                self._begin(candidate, key)
            except EngineError as error:
                return TrialVerdict(candidate.name, False, str(error))
            try:
                verdict = self._trial(candidate)
            except EdgeagentError as error:
                self._records.end(key, str(error))
                may_pass = candidate.delegate.retry or isinstance(error, WorkerStarvedError)
                wait_s = next(waits, None) if may_pass else None
                if wait_s is None:
                    return TrialVerdict(candidate.name, False, str(error))
                logger.info("%s: %s; trying again in %g s", candidate.name, error, wait_s)
                time.sleep(wait_s)  # a USB stick that loads its firmware re-enumerates
            else:
                self._records.end(key)
                return verdict

    def _begin(self, candidate: Candidate, key: str) -> None:
        missing = availability(candidate.delegate).missing
        if missing is not None:
            raise EngineError(missing)
        logger.info("%s: on trial", candidate.name)
        self._records.begin(key, candidate.delegate.needs.hardware)

    def _trial(self, candidate: Candidate) -> TrialVerdict:
        """Measure a candidate on each number of threads, and return the verdict of the fastest."""
        found = [self._measure(candidate, threads) for threads in self._workers.threads]
        return min(found, key=lambda verdict: verdict.p50_ms or 0.0)

    def _measure(self, candidate: Candidate, threads: int) -> TrialVerdict:
        started = time.monotonic()
        detector = self._start(candidate, threads)
        engine = detector.engine
        load_s = time.monotonic() - started
        try:
            buffers = engine.allocate()
            times = []
            for run in range(WARM_UP_RUNS + RUNS):
                began = time.monotonic_ns()
                engine.infer(buffers.inputs, buffers.outputs)
                if run >= WARM_UP_RUNS:
                    times.append((time.monotonic_ns() - began) / 1e6)
            detector.decoder.decode(buffers.outputs, WARM_UP_SCORE)
        finally:
            engine.close()
        p50 = round(statistics.median(times), 2)
        reason = (
            "computes what was trained" if self.bundle.manifest.golden else "runs; no golden set to check"
        )
        return TrialVerdict(candidate.name, True, reason, p50, round(load_s, 2), threads, engine.facts.placed)

    def _threads(self, candidate: Candidate) -> int:
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


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
