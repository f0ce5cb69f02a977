"""The detector that serves now, and what takes over when it does not.

::

    serving --- crash, deadline passed, wrong outputs, repeated errors ---> next candidate that is right
       ^                                                                        |
       +---- the better one passes the check again, asked with back-off --------+
    nothing left: not detecting, said loudly, and tried again and again

A failing candidate is ordinary: detection goes on with the next one within seconds, and an alarm says so
until the best one serves again. All that takes long (starting a worker, checking it) happens in one thread of
its own; the frame path only asks for :meth:`ServingDetector.current`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeagent.bundle.reading import Bundle
from edgeagent.detection.candidate_state import CandidateState
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.detector import Detector, build_detector
from edgeagent.detection.trials import CandidateTrials, Verdict
from edgeagent.engines.engine import EngineFacts
from edgeagent.errors import EdgeagentError, EngineError
from edgeagent.worker.engine import WorkerDiedError, WorkerEngine, WorkerHungError

logger = logging.getLogger(__name__)

ERRORS_IN_A_ROW = 3
PROBE_FIRST_S, PROBE_LONGEST_S = 5.0, 600.0
CHECK_EVERY_S = 300.0
QUICK_S = 1.5  # to load: what is slower takes over later, while something quicker serves
PING_EVERY_S = 5.0
STOP_S = 1.0


@dataclass(frozen=True)
class Change:
    """What serves from now on.

    Attributes:
        serving: name of the candidate; None when nothing does.
        best: whether it is the first choice.
        reason: why it changed, for people.
        took_s: seconds without a detector.
        failure: what a detector that served was given up for; None where none was.
    """

    serving: str | None
    best: bool
    reason: str
    took_s: float = 0.0
    failure: str | None = None


class ServingDetector:
    """Keeps one of the candidates serving.

    Args:
        selection: starts and checks candidates.
        ranked: candidates with their verdicts, the first choice first. One that is not right is tried again
            with back-off, as one that failed while it served.
        iou_threshold: of non-maximum suppression, 0..1.
        on_change: told every change, in the thread of this object.
        check_every_s: seconds between two checks of the one that serves, by the golden pictures.
        probe_first_s, probe_longest_s: back-off between two tries of one that failed.

    Raises:
        EngineError: none of the candidates can be started.
    """

    def __init__(
        self,
        selection: CandidateTrials,
        ranked: Sequence[tuple[Candidate, Verdict]],
        iou_threshold: float,
        on_change: Callable[[Change], None] = lambda change: None,
        check_every_s: float = CHECK_EVERY_S,
        probe_first_s: float = PROBE_FIRST_S,
        probe_longest_s: float = PROBE_LONGEST_S,
    ) -> None:
        self._selection, self._iou_threshold, self._on_change = selection, iou_threshold, on_change
        self._check_every_s = check_every_s
        self._places = [
            CandidateState(candidate, verdict.load_s or 0.0, probe_first_s, probe_longest_s)
            for candidate, verdict in ranked
        ]
        self._changed = threading.Condition()
        self._current: Detector | None = None
        self._place: CandidateState | None = None
        self._failed: Detector | None = None
        self._failure: str | None = None
        self._errors = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="serving", daemon=True)
        self._facts: EngineFacts
        for place, (_, verdict) in zip(self._places, ranked, strict=True):
            if not verdict.right:
                place.put_back()
        self._problems = [verdict.reason for _, verdict in ranked if not verdict.right]
        self._problems += self._start_one([place for place in self._places if place.due])
        if self._current is None:
            raise EngineError("no delegate serves: " + "; ".join(self._problems or ["there is no candidate"]))

    @property
    def bundle(self) -> Bundle:
        """The bundle whose candidates these are."""
        return self._selection.bundle

    @property
    def candidate(self) -> Candidate | None:
        """What serves now."""
        with self._changed:
            return self._place.candidate if self._place else None

    @property
    def facts(self) -> EngineFacts:
        """Facts of the engine that serves, or did last."""
        return self._facts

    def state(self, reason: str | None = None, took_s: float = 0.0, failure: str | None = None) -> Change:
        """Return what serves now; the reason is by default what was wrong with others at the start."""
        place = self._place
        reason = "; ".join(self._problems) if reason is None else reason
        best = place is not None and place is self._places[0]
        return Change(place.candidate.name if place else None, best, reason, round(took_s, 3), failure)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def current(self, timeout: float) -> Detector | None:
        """Return the detector that serves, waiting ``timeout`` seconds for one; None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._current is not None or self._stopping, timeout)
            return None if self._stopping else self._current

    def worked(self, detector: Detector) -> None:
        """Tell that a frame went through."""
        if self._errors and detector is self._current:
            self._errors = 0

    def failed(self, detector: Detector, error: EngineError) -> None:
        """Tell that a frame did not go through; what comes of it is up to this object."""
        with self._changed:
            if detector is not self._current or self._failure is not None:
                return
            self._errors += 1
            gone = isinstance(error, (WorkerDiedError, WorkerHungError))
            if gone or self._errors >= ERRORS_IN_A_ROW:
                self._give_up(detector, error)

    def stop(self) -> None:
        """End the watch and the worker; a delegate that hangs while it is tried dies with this process."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        if self._current is not None:
            self._current.engine.close()

    def _run(self) -> None:
        checked = pinged = time.monotonic()
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._failure is not None, self._idle_s(checked)
                )
            if self._stopping:
                return
            if self._failure is not None or self._current is None:
                self._replace()
                checked = pinged = time.monotonic()
                continue
            now = time.monotonic()
            if now - pinged >= PING_EVERY_S:
                pinged = now
                self._watch(lambda detector: _worker(detector).ping())
            if self._failure is None and now - checked >= self._check_every_s:
                checked = now
                self._watch(self._check)
            if self._failure is None:
                self._try_better()

    def _idle_s(self, checked: float) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = [PING_EVERY_S, checked + self._check_every_s - now]
        due += [place.retry_at - now for place in self._better()]
        if self._current is None:
            due += [place.retry_at - now for place in self._places]
        return max(0.0, min(due))

    def _watch(self, look: Callable[[Detector], None]) -> None:
        """Look at the detector that serves; what is wrong with it is a failure like any other."""
        detector = self._current
        if detector is None:
            return
        try:
            look(detector)
        except EdgeagentError as error:
            with self._changed:
                if detector is self._current:
                    self._give_up(detector, error)

    def _give_up(self, detector: Detector, error: EdgeagentError) -> None:
        """Let nothing more go through a detector; with the lock held."""
        self._failed, self._failure, self._current = detector, str(error), None
        self._changed.notify_all()

    def _check(self, detector: Detector) -> None:
        if self._place is not None:
            self._selection.check(self._place.candidate, detector.engine)

    def _replace(self) -> None:
        """Put another candidate in the place of one that failed, or the same one when there is no other."""
        began = time.monotonic()
        reason, failed = self._failure, self._place
        if failed is not None:
            logger.warning("%s", reason)
            if self._failed is not None:
                self._failed.engine.close()
            failed.put_back()
        self._place, self._failed = None, None
        others = [place for place in self._places if place.due]
        problems = self._start_one(sorted(others, key=lambda place: place.load_s > QUICK_S))
        if self._current is None and failed is not None:
            problems += self._start_one([failed])
        with self._changed:
            self._failure = None
        took = time.monotonic() - began
        if self._place is not None:
            logger.warning("%s serves now, after %.2f s", self._place.candidate.name, took)
            self._tell(reason or "it works again", took, reason)
        elif failed is not None:
            logger.error("not detecting: %s", "; ".join(problems))
            self._tell(reason or "no delegate works", failure=reason)

    def _start_one(self, places: Sequence[CandidateState]) -> list[str]:
        """Let the first that can be started serve; return what was wrong with those before it."""
        problems = []
        for place in places:
            if self._stopping:
                break
            try:
                self._serve(place, self._detector(place.candidate))
            except EdgeagentError as error:
                problems.append(str(error))
                place.put_back()
                continue
            break
        return problems

    def _better(self) -> list[CandidateState]:
        position = self._places.index(self._place) if self._place in self._places else len(self._places)
        return self._places[:position]

    def _try_better(self) -> None:
        """Return to a better candidate that passes the check again."""
        for place in self._better():
            if not place.due or self._stopping:
                continue
            try:
                detector = self._detector(place.candidate)
            except EdgeagentError as error:
                logger.info("%s is not back yet: %s", place.candidate.name, error)
                place.put_back()
                continue
            old = self._current
            self._serve(place, detector)
            if old is not None:
                old.engine.close()
            logger.info("%s serves again", place.candidate.name)
            self._tell("it passed the check again")
            return

    def _detector(self, candidate: Candidate) -> Detector:
        engine = self._selection.start(candidate)
        try:
            manifest, artefact = self._selection.bundle.manifest, candidate.artefact
            detector = build_detector(manifest, engine, artefact.outputs, candidate.name, self._iou_threshold)
            detector.warm_up()
        except BaseException:
            engine.close()
            raise
        return detector

    def _serve(self, place: CandidateState, detector: Detector) -> None:
        with self._changed:
            self._place, self._current, self._errors = place, detector, 0
            self._facts = detector.engine.facts
            place.serves()
            self._changed.notify_all()

    def _tell(self, reason: str, took_s: float = 0.0, failure: str | None = None) -> None:
        self._on_change(self.state(reason, took_s, failure))


def _worker(detector: Detector) -> WorkerEngine:
    engine = detector.engine
    if not isinstance(engine, WorkerEngine):
        raise TypeError("what serves is no worker")
    return engine
