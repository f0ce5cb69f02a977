"""Running statistics of a serving model: detections per frame, scores and latency."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.timing.histogram import MINIMUM_COUNT, Histogram

MIN_FRAMES = MINIMUM_COUNT["p90"]
"""Minimum number of frames of a statistic."""


@dataclass(frozen=True)
class Behaviour:
    """Statistics of a model over a number of frames.

    Attributes:
        frames: their number.
        rate: detections per frame.
        score: mean score of the detections, 0..1; None without a detection.
        p90_ms: 90th percentile of the inference in milliseconds.
    """

    frames: int
    rate: float
    score: float | None
    p90_ms: float


class Traffic:
    """Collector of the statistics of the last frames: the block that is being filled, and the one before it.

    One thread records; nothing is allocated per frame.

    Args:
        block: frames of a block.
    """

    def __init__(self, block: int) -> None:
        self._length = max(block, MIN_FRAMES)
        self._block, self._before = _Block(), _Block()

    def record(self, detections: int, score_sum: float, inference_ns: int) -> None:
        """Add a frame: number of detections, sum of their scores, nanoseconds of the inference."""
        block = self._block
        if block.times.count >= self._length:
            self._before, self._block = block, _Block()
            block = self._block
        block.detections += detections
        block.score_sum += score_sum
        block.times.record(inference_ns)

    def behaviour(self) -> Behaviour | None:
        """Return the statistics; None below :data:`MIN_FRAMES` frames."""
        blocks = (self._before, self._block)
        times = Histogram()
        for block in blocks:
            times.add(block.times)
        p90 = times.percentiles().p90
        if p90 is None:
            return None
        detections = sum(block.detections for block in blocks)
        score = sum(block.score_sum for block in blocks) / detections if detections else None
        return Behaviour(times.count, detections / times.count, score, p90)


class _Block:
    """Sums over the frames of a block."""

    __slots__ = ("detections", "score_sum", "times")

    def __init__(self) -> None:
        self.detections, self.score_sum, self.times = 0, 0.0, Histogram()
