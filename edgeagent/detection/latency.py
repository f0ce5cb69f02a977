"""Latency of detectors: alone, or in turn with the one that serves.

Two engines that run at once time each other. A candidate beside one that serves is therefore timed in slices,
in which no frame is detected on (:mod:`edgeagent.detection.frame_hold`)::

    frames ... | hold: serving, serving, ...; candidate, candidate, ... | frames, longer than the hold | ...

The first call of each block is not counted. What counts is the ratio of the two medians, since both have had
the same machine: its heat, its clock and whatever else runs on it.
"""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import AbstractContextManager
from typing import Protocol

from edgeagent.detection.detector import WARM_UP_RUNS, WARM_UP_SCORE
from edgeagent.detection.starting import WorkerDetector
from edgeagent.engines.engine import Buffers
from edgeagent.errors import EngineError

RUNS = 20
SLICE_S = 0.2
"""Length of a slice; longer where four calls take longer."""
LONGEST_HOLD_S = 2.0
MOST_RUNS_IN_A_ROW = 5
REST, LONGEST_REST_S = 4.0, 1.0
"""Time between two slices, in lengths of the slice before, and its limit on a busy machine."""
LONGEST_TIMING_S, LEAST_RUNS = 20.0, 5
"""Time after which fewer runs than :data:`RUNS` count, and the least number of them."""


class NotTimedError(EngineError):
    """A candidate that is right could not be timed, through no fault of its own."""


class ServesFrames(Protocol):
    """What serves now; see :class:`edgeagent.detection.serving.ServingDetector`."""

    def current(self, timeout: float) -> WorkerDetector | None:
        """Return the detector that serves, waiting up to ``timeout`` seconds; None if none does."""

    def failed(self, detector: WorkerDetector, error: EngineError) -> None:
        """Record that a call failed."""

    def hold(self, longest_s: float) -> AbstractContextManager[None]:
        """Let no frame begin inside, for ``longest_s`` seconds at most."""


def time_alone(detector: WorkerDetector) -> float:
    """Return the median latency of calls one after the other, in milliseconds.

    Raises:
        EngineError: a call fails, or its outputs cannot be decoded.
    """
    buffers = detector.allocate()
    _run(detector, buffers, WARM_UP_RUNS)
    times = _run(detector, buffers, RUNS)
    detector.decoder.decode(buffers.outputs, WARM_UP_SCORE)
    return statistics.median(times)


class TurnTimer:
    """Times candidates in turn with the detector that serves.

    Args:
        serving: what serves.
        stopping: set when timing is to end.
        reference_ms: known median latency of what serves; None measures it with the first candidate.
    """

    def __init__(
        self, serving: ServesFrames, stopping: threading.Event, reference_ms: float | None = None
    ) -> None:
        self._serving, self._stopping = serving, stopping
        self._reference_ms = reference_ms
        self._owner: WorkerDetector | None = None
        self._buffers: Buffers

    def time_serving(self) -> float:
        """Return the median latency of what serves, in milliseconds.

        Raises:
            NotTimedError: what serves has changed, or timing is to end.
        """
        own, _ = self._medians(None)
        self._reference_ms = self._reference_ms or own
        return self._reference_ms

    def time(self, detector: WorkerDetector) -> float:
        """Return the median latency of a candidate in milliseconds, as if what serves took its known time.

        Raises:
            NotTimedError: what serves has changed, or timing is to end.
            EngineError: the candidate fails.
        """
        own, candidate = self._medians(detector)
        self._reference_ms = self._reference_ms or own
        return candidate / own * self._reference_ms

    def _medians(self, candidate: WorkerDetector | None) -> tuple[float, float]:
        serving = self._take()
        buffers = None if candidate is None else candidate.allocate()
        if candidate is not None and buffers is not None:
            _run(candidate, buffers, WARM_UP_RUNS)
        own: list[float] = []
        others: list[float] = []
        in_a_row, until = 1, time.monotonic() + LONGEST_TIMING_S
        while len(own) < (RUNS if time.monotonic() < until else LEAST_RUNS):
            with self._serving.hold(LONGEST_HOLD_S):
                began = time.monotonic()
                own += self._run_serving(serving, in_a_row)
                if candidate is not None and buffers is not None:
                    others += _run(candidate, buffers, 1 + in_a_row)[1:]
                took_s = time.monotonic() - began
            in_a_row = max(1, min(MOST_RUNS_IN_A_ROW, int(SLICE_S / took_s * (1 + in_a_row)) - 1))
            if self._stopping.wait(min(LONGEST_REST_S, REST * took_s)):
                raise NotTimedError("the agent stops")
            if self._serving.current(0) is not serving:
                raise NotTimedError("another engine began to serve")
        if candidate is not None and buffers is not None:
            candidate.decoder.decode(buffers.outputs, WARM_UP_SCORE)
        return statistics.median(own), statistics.median(others or own)

    def _take(self) -> WorkerDetector:
        serving = self._serving.current(0)
        if serving is None:
            raise NotTimedError("no engine serves")
        if serving is not self._owner:
            self._owner, self._buffers = serving, serving.allocate()
        return serving

    def _run_serving(self, serving: WorkerDetector, runs: int) -> list[float]:
        """Time what serves; the first call, which waits for those of all frames before it, does not count."""
        try:
            return _run(serving, self._buffers, 1 + runs)[1:]
        except EngineError as error:
            self._serving.failed(serving, error)
            raise NotTimedError(f"the engine that serves failed: {error}") from error


def _run(detector: WorkerDetector, buffers: Buffers, runs: int) -> list[float]:
    """Return the milliseconds of each of a number of calls."""
    times = []
    for _ in range(runs):
        began = time.monotonic_ns()
        detector.engine.infer(buffers.inputs, buffers.outputs)
        times.append((time.monotonic_ns() - began) / 1e6)
    return times
