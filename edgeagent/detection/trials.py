"""Which delegate serves: each candidate is tried in a worker, checked, measured, and ranked.

::

    artefacts of the bundle x delegates of the catalogue = candidates
        -> all that it needs is there, and it has not taken the machine down before
        -> START in the journal -> worker loads it -> golden pictures right? -> latency -> END or ERROR
        -> of the right ones the fastest first (``auto``), or in the operator's order

Verdicts are kept with a key of artefact, delegate, versions and board, so that a start only tries what is
new.
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
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.detection.journal import Event, Journal
from edgeagent.engines.availability import availability
from edgeagent.engines.engine import Engine
from edgeagent.errors import BundleError, EdgeagentError, EngineError
from edgeagent.files.atomic import write_state
from edgeagent.version import __version__
from edgeagent.worker.engine import WorkerEngine
from edgeagent.worker.protocol import LoadRequest

logger = logging.getLogger(__name__)

VERDICTS = "verdicts.json"
"""Name of the kept verdicts in the agent's state folder."""
RUNS = 20
RETRY_AFTER_S = (1.0, 3.0)
LEAST_DEADLINE_S, MOST_DEADLINE_S = 0.5, 5.0
BESIDE_DEADLINE_S = 30.0  # of a worker of low priority, which waits for what it runs beside
SLOW = 15  # times the median latency: no answer after that is taken for a hang
WARM_UP_RUNS = 3
PACKAGES = ("onnxruntime", "openvino", "ai-edge-litert", "tflite-runtime", "tensorrt", "hailort")


@dataclass(frozen=True)
class Verdict:
    """What a trial found.

    Attributes:
        candidate: its name.
        right: whether it may serve.
        reason: why not, or how right it is.
        p50_ms: median latency of one inference through the worker.
        load_s: seconds from starting the worker to its first checked output.
        threads: that were fastest.
        placed: share of the operators on the delegate, where that is known.
    """

    candidate: str
    right: bool
    reason: str
    p50_ms: float | None = None
    load_s: float | None = None
    threads: int | None = None
    placed: float | None = None


class CandidateTrials:
    """Tries the candidates of one bundle on this board.

    Args:
        bundle: verified.
        candidates: from :func:`edgeagent.detection.candidates.find_candidates`.
        order: worker of a candidate on a number of threads, without starting it.
        threads: numbers to try; of several the fastest is kept with the verdict.
        journal: of this board; None where it cannot be kept, so that nothing with hardware of its own is
            tried.
        kept: file of verdicts; None keeps none.
        beside: its workers have a lower priority than what they run beside, and the time that this takes.
    """

    def __init__(
        self,
        bundle: Bundle,
        candidates: Sequence[Candidate],
        order: Callable[[Candidate, int], LoadRequest],
        threads: Sequence[int],
        journal: Journal | None,
        kept: Path | None = None,
        beside: bool = False,
    ) -> None:
        self.bundle, self.candidates = bundle, tuple(candidates)
        self._order, self._threads, self._journal, self._kept = order, tuple(threads), journal, kept
        self._beside = beside
        self._checks: dict[str, GoldenCheck] = {}
        self._known: dict[str, Verdict] = {}

    def verdicts(self, report: Callable[[Verdict], None] = lambda one: None) -> list[Verdict]:
        """Return the verdict on every candidate in order, trying those without a kept one."""
        known = load_verdicts(self._kept) if self._kept else {}
        found = []
        for candidate in self.candidates:
            key = self.key(candidate)
            if key not in known:
                known[key] = self.judge(candidate)
                self._save(known)
            verdict = known[key]
            self._known[candidate.name] = verdict
            found.append(verdict)
            report(verdict)
        return found

    def judged(self, report: Callable[[Verdict], None] = lambda one: None) -> list[tuple[Candidate, Verdict]]:
        """Return all candidates in their own order, with the verdicts on them."""
        return list(zip(self.candidates, self.verdicts(report), strict=True))

    def ranked(self, report: Callable[[Verdict], None] = lambda one: None) -> list[tuple[Candidate, Verdict]]:
        """Return the candidates that are right, the fastest first."""
        return fastest_first(self.judged(report))

    def judge(self, candidate: Candidate) -> Verdict:
        """Try a candidate now."""
        key, waits = self.key(candidate), iter(RETRY_AFTER_S if candidate.delegate.retry else ())
        while True:
            try:
                self._begin(candidate, key)
            except EngineError as error:
                return Verdict(candidate.name, False, str(error))
            try:
                verdict = self._trial(candidate)
            except EdgeagentError as error:
                self._note("error", key, str(error))
                wait_s = next(waits, None)
                if wait_s is None:
                    return Verdict(candidate.name, False, str(error))
                logger.info("%s: %s; once more in %g s", candidate.name, error, wait_s)
                time.sleep(wait_s)  # a stick that loads its firmware comes back as another device
            else:
                self._note("end", key)
                return verdict

    def start(self, candidate: Candidate) -> WorkerEngine:
        """Return a candidate in a worker, loaded and checked, on the threads that were fastest.

        Raises:
            EngineError: it may not be tried, cannot be loaded, or is not right.
        """
        key = self.key(candidate)
        self._begin(candidate, key)
        try:
            engine = self._open(candidate)
        except EdgeagentError as error:
            self._note("error", key, str(error))
            raise
        self._note("end", key)
        return engine

    def _begin(self, candidate: Candidate, key: str) -> None:
        """Note that a trial begins.

        Raises:
            EngineError: it must not: something is missing, or it might take the machine down.
        """
        missing = availability(candidate.delegate).missing
        if missing is not None:
            raise EngineError(missing)
        if self._journal is not None and self._journal.took_down(key):
            raise EngineError(
                "the machine went down while this was tried; it is not tried again before something new is "
                "installed, or 'edgeagent doctor --forgive' says so"
            )
        if not self._note("start", key) and candidate.delegate.needs.hardware:
            raise EngineError("is not tried without a journal: it might take the machine down")

    def _note(self, event: Event, key: str, reason: str = "") -> bool:
        """Write to the journal; return whether there is one."""
        try:
            if self._journal is not None:
                self._journal.write(event, key, reason)
        except EdgeagentError as error:
            logger.error("%s; going on without it", error)
            self._journal = None
        return self._journal is not None

    def check(self, candidate: Candidate, engine: Engine) -> None:
        """Compare an engine with the golden outputs; without a golden set there is nothing to compare with.

        Raises:
            EngineError: it fails, or does not compute what was trained.
        """
        if self.bundle.manifest.golden is None:
            return
        file = candidate.artefact.file
        if file not in self._checks:
            self._checks[file] = GoldenCheck(self.bundle, candidate.artefact)
        try:
            result = self._checks[file].run(engine)
        except BundleError as error:
            raise EngineError(f"{candidate.name}: {error}") from error
        if not result.right:
            raise EngineError(f"{candidate.name} does not compute what was trained: {result.describe()}")

    def _open(self, candidate: Candidate, threads: int | None = None) -> WorkerEngine:
        verdict = self._known.get(candidate.name)
        threads = threads or (verdict.threads if verdict else None) or self._threads[0]
        engine = WorkerEngine(self._order(candidate, threads), self.deadline_s(candidate))
        try:
            self.check(candidate, engine)
        except BaseException:
            engine.close()
            raise
        return engine

    def deadline_s(self, candidate: Candidate) -> float:
        """Return the seconds that a call may take: many times the median, where that is known."""
        if self._beside:
            return BESIDE_DEADLINE_S
        verdict = self._known.get(candidate.name)
        p50 = verdict.p50_ms if verdict else None
        if p50 is None:
            return MOST_DEADLINE_S
        return min(MOST_DEADLINE_S, max(LEAST_DEADLINE_S, SLOW * p50 / 1000))

    def key(self, candidate: Candidate) -> str:
        """Return what a verdict depends on, as 16 hex digits behind the candidate's name."""
        order = self._order(candidate, self._threads[0])
        facts = {
            "agent": __version__,
            "artefact": candidate.artefact.sha256,
            "golden": self.bundle.manifest.golden.sha256 if self.bundle.manifest.golden else None,
            "options": dict(candidate.delegate.options),
            "library": candidate.delegate.library,
            "threads": self._threads,
            "cpus": order.cpus,
            "machine": [platform.machine(), platform.release()],
            "packages": dict(_versions()),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return f"{candidate.name} {digest[:16]}"

    def _trial(self, candidate: Candidate) -> Verdict:
        """Measure a candidate on each number of threads, and return the fastest."""
        found = [self._measure(candidate, threads) for threads in self._threads]
        return min(found, key=lambda verdict: verdict.p50_ms or 0.0)

    def _measure(self, candidate: Candidate, threads: int) -> Verdict:
        started = time.monotonic()
        engine = self._open(candidate, threads)
        load_s = time.monotonic() - started
        try:
            buffers = engine.allocate()
            times = []
            for run in range(WARM_UP_RUNS + RUNS):
                began = time.monotonic_ns()
                engine.infer(buffers.inputs, buffers.outputs)
                if run >= WARM_UP_RUNS:
                    times.append((time.monotonic_ns() - began) / 1e6)
        finally:
            engine.close()
        p50 = round(statistics.median(times), 2)
        reason = (
            "computes what was trained" if self.bundle.manifest.golden else "runs; no golden set to check"
        )
        return Verdict(candidate.name, True, reason, p50, round(load_s, 2), threads, engine.facts.placed)

    def _save(self, known: dict[str, Verdict]) -> None:
        """Keep what does not change by itself: right ones, and what a trial found wrong."""
        if self._kept is None:
            return
        kept = {key: asdict(verdict) for key, verdict in known.items() if verdict.right}
        try:
            write_state(self._kept, json.dumps(kept, indent=1).encode())
        except EdgeagentError as error:
            logger.warning("%s; everything is tried again at the next start", error)


def fastest_first(judged: Sequence[tuple[Candidate, Verdict]]) -> list[tuple[Candidate, Verdict]]:
    """Return those that are right, by their median latency."""
    right = [(candidate, verdict) for candidate, verdict in judged if verdict.right]
    return sorted(right, key=lambda pair: pair[1].p50_ms or float("inf"))


def load_verdicts(path: Path) -> dict[str, Verdict]:
    """Return the kept verdicts by their keys; none where they cannot be read, so that all is tried again."""
    try:
        return {key: Verdict(**verdict) for key, verdict in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s: kept verdicts cannot be read (%s); trying all again", path, error)
        return {}


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
