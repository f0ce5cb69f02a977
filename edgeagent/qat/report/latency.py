"""Latency of an artefact relative to a float reference, interleaved: A B A B ..."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers
from edgeagent.qat.report.data import Latency

ROUNDS = 50
WARM_UP = 5  # rounds that do not count


def measure_latency(reference: Detector, other: Detector, name: str, rounds: int = ROUNDS) -> Latency:
    """Measure two models in interleaved rounds in this process.

    Args:
        reference: float model.
        other: artefact.
        name: name of the reference, for the result.
        rounds: number of counted rounds.
    """
    pair = [(detector, detector.allocate()) for detector in (reference, other)]
    times = [[_seconds(detector, buffers) for detector, buffers in pair] for _ in range(WARM_UP + rounds)]
    return _latency(times[WARM_UP:], name)


def _seconds(detector: Detector, buffers: Buffers) -> float:
    started = time.perf_counter()
    detector.engine.infer(buffers.inputs, buffers.outputs)
    return time.perf_counter() - started


def _latency(times: Sequence[Sequence[float]], name: str) -> Latency:
    table = np.asarray(times)
    reference, other = (float(value) * 1000 for value in np.median(table, axis=0))
    ratio = float(np.median(table[:, 0] / table[:, 1]))
    return Latency(round(other, 2), round(reference, 2), round(ratio, 3), len(table), name)
