"""Load generator: sequential queries to a detector, as in MLPerf's LoadGen.

A query is one picture (single-stream, offline) or eight (multi-stream), from the pixels in memory to the
boxes. Pictures are read beforehand and ordered by a seed. The first query of a block is not timed: it refills
the caches after the block of another engine.
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

PICTURE_STAGES = ("preprocess", "inference", "decode", "end_to_end")
"""Timed stages of one picture; ``end_to_end`` is their sum."""

SAMPLES_PER_QUERY = {"single-stream": 1, "multi-stream": 8, "offline": 1}
SCORE_THRESHOLD = 0.3

ReadEnergy = Callable[[], "float | None"]


@dataclass
class Block:
    """Consecutive queries of one row.

    Attributes:
        queries_ns: latency of each query in nanoseconds, in order.
        stages_ns: time of each picture in nanoseconds, by stage.
        samples: number of pictures.
        seconds: time from the start of the first query to the end of the last.
        energy_j: energy used in joules; None without a sensor.
        energy_s: seconds covered by the energy.
    """

    queries_ns: list[int] = field(default_factory=list)
    stages_ns: dict[str, list[int]] = field(default_factory=dict)
    samples: int = 0
    seconds: float = 0.0
    energy_j: float | None = None
    energy_s: float = 0.0


def picture_order(count: int, seed: int) -> Iterator[int]:
    """Yield picture indices endlessly, in a new random permutation of all pictures each time."""
    generator = np.random.default_rng(seed)
    while True:
        yield from generator.permutation(count).tolist()


def run_block(
    detector: Detector,
    buffers: Buffers,
    pictures: Iterator[Image],
    samples_per_query: int,
    min_s: float,
    min_queries: int,
    read_energy: ReadEnergy = lambda: None,
) -> Block:
    """Run queries until both minima are reached.

    Args:
        detector: loaded detector.
        buffers: buffers of the detector.
        pictures: endless iterator of pictures (h, w, 3) uint8, BGR.
        samples_per_query: pictures per query.
        min_s: minimum duration in seconds.
        min_queries: minimum number of queries.
        read_energy: returns joules so far, see :meth:`edgeagent.sensors.energy.EnergyMeter.read_j`.

    Raises:
        EngineError: the engine failed.
    """
    block = Block(stages_ns={stage: [] for stage in PICTURE_STAGES})
    _detect(detector, buffers, next(pictures))
    energy = read_energy()
    begun = ended = time.perf_counter_ns()
    while ended - begun < min_s * 1e9 or len(block.queries_ns) < min_queries:
        started = time.perf_counter_ns()
        for _ in range(samples_per_query):
            durations = _detect(detector, buffers, next(pictures))
            for stage, duration in zip(PICTURE_STAGES, durations, strict=True):
                block.stages_ns[stage].append(duration)
        ended = time.perf_counter_ns()
        block.queries_ns.append(ended - started)
        block.samples += samples_per_query
    block.seconds = block.energy_s = (ended - begun) / 1e9
    block.energy_j = difference(energy, read_energy())
    return block


def difference(before: float | None, after: float | None) -> float | None:
    """Return after - before; None when either reading is missing."""
    return None if before is None or after is None else after - before


def _detect(detector: Detector, buffers: Buffers, picture: Image) -> tuple[int, int, int, int]:
    """Detect on one picture and return the nanoseconds of each of :data:`PICTURE_STAGES`."""
    started = time.perf_counter_ns()
    fit = detector.preprocessor.write(picture, buffers.inputs[0])
    prepared = time.perf_counter_ns()
    detector.engine.infer(buffers.inputs, buffers.outputs)
    inferred = time.perf_counter_ns()
    to_picture(detector.decoder.decode(buffers.outputs, SCORE_THRESHOLD), fit)
    done = time.perf_counter_ns()
    return prepared - started, inferred - prepared, done - inferred, done - started


def cycle_pictures(pictures: Sequence[Image], seed: int) -> Iterator[Image]:
    """Yield the pictures endlessly in :func:`picture_order`."""
    return (pictures[index] for index in picture_order(len(pictures), seed))
