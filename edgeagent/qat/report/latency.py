"""Latency of artefacts beside a float reference, in turns: A B A B ..."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers
from edgeagent.qat.report.data import Latency

TURNS = 50
WARM_UP = 5


def measure_latency(reference: Detector, other: Detector, name: str, turns: int = TURNS) -> Latency:
    """Run two models in turns in this process and compare each turn.

    Args:
        reference: the float model.
        other: what is measured.
        name: of the reference.
        turns: that are counted; a few more come before.
    """
    pair = [(detector, detector.allocate()) for detector in (reference, other)]
    times = [[_seconds(detector, buffers) for detector, buffers in pair] for _ in range(WARM_UP + turns)]
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
