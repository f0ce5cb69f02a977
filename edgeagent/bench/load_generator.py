"""Putting queries to a detector as MLPerf's LoadGen does: one after the other, each when the last is done.

A query is one picture (single-stream, offline) or eight (multi-stream), from the pixels in memory to boxes.
The pictures are read before and come in an order that a seed fixes. The first query of a block is run and not
timed: it warms up what another engine has pushed out of the caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers
from edgeagent.imaging.frame import Image
from edgeagent.vision.preprocessor import to_picture

STAGES = ("preprocess", "inference", "decode", "end_to_end")
SAMPLES_PER_QUERY = {"single-stream": 1, "multi-stream": 8, "offline": 1}
SCORE_THRESHOLD = 0.3

ReadEnergy = Callable[[], "float | None"]


@dataclass
class Block:
    """Queries of one row, one directly after the other.

    Attributes:
        queries_ns: latency of each query, in order.
        stages_ns: for each stage the time of each picture.
        samples: pictures.
        seconds: from the first query's start to the last one's end.
        energy_j: used; None without a sensor.
        energy_s: seconds in which it was used.
    """

    queries_ns: list[int] = field(default_factory=list)
    stages_ns: dict[str, list[int]] = field(default_factory=dict)
    samples: int = 0
    seconds: float = 0.0
    energy_j: float | None = None
    energy_s: float = 0.0


def picture_order(count: int, seed: int) -> Iterator[int]:
    """Yield picture indices for ever: all of them shuffled, shuffled anew, and so on."""
    generator = np.random.default_rng(seed)
    while True:
        yield from generator.permutation(count).tolist()


def run_block(
    detector: Detector,
    buffers: Buffers,
    pictures: Iterator[Image],
    samples_per_query: int,
    least_s: float,
    least_queries: int,
    read_energy: ReadEnergy = lambda: None,
) -> Block:
    """Put queries until both the time and the number are reached.

    Args:
        detector: loaded.
        buffers: its own.
        pictures: (h, w, 3) uint8 BGR each, for ever.
        samples_per_query: pictures in a query.
        least_s: seconds of queries.
        least_queries: number of queries.
        read_energy: joules so far, see :meth:`edgeagent.sensors.energy.EnergyMeter.read_j`.

    Raises:
        EngineError: the engine failed.
    """
    block = Block(stages_ns={stage: [] for stage in STAGES})
    _sample(detector, buffers, next(pictures))
    energy = read_energy()
    begun = ended = time.perf_counter_ns()
    while ended - begun < least_s * 1e9 or len(block.queries_ns) < least_queries:
        started = time.perf_counter_ns()
        for _ in range(samples_per_query):
            for stage, duration in zip(STAGES, _sample(detector, buffers, next(pictures)), strict=True):
                block.stages_ns[stage].append(duration)
        ended = time.perf_counter_ns()
        block.queries_ns.append(ended - started)
        block.samples += samples_per_query
    block.seconds = block.energy_s = (ended - begun) / 1e9
    block.energy_j = difference(energy, read_energy())
    return block


def difference(before: float | None, after: float | None) -> float | None:
    """Return after - before, or None where either reading is missing."""
    return None if before is None or after is None else after - before


def _sample(detector: Detector, buffers: Buffers, picture: Image) -> tuple[int, int, int, int]:
    """Detect on one picture; return nanoseconds of each of :data:`STAGES`."""
    started = time.perf_counter_ns()
    fit = detector.preprocessor.write(picture, buffers.inputs[0])
    prepared = time.perf_counter_ns()
    detector.engine.infer(buffers.inputs, buffers.outputs)
    inferred = time.perf_counter_ns()
    to_picture(detector.decoder.decode(buffers.outputs, SCORE_THRESHOLD), fit)
    done = time.perf_counter_ns()
    return prepared - started, inferred - prepared, done - inferred, done - started


def cycle_pictures(pictures: Sequence[Image], seed: int) -> Iterator[Image]:
    """Yield the pictures in :func:`picture_order`."""
    return (pictures[index] for index in picture_order(len(pictures), seed))
