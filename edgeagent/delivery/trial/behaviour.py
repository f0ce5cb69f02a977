"""What a model does in service, as running statistics: how much it finds, how surely, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.timing.histogram import MINIMUM_COUNT, Histogram

LEAST_FRAMES = MINIMUM_COUNT["p90"]
"""Fewer frames say nothing about a model."""


@dataclass(frozen=True)
class Behaviour:
    """Statistics over some frames.

    Attributes:
        frames: how many.
        rate: detections per frame.
        score: mean score of the detections, 0..1; None without one.
        p90_ms: 90th percentile of the inference.
    """

    frames: int
    rate: float
    score: float | None
    p90_ms: float


class Traffic:
    """Statistics of the last frames: of the block that fills, and of the full one before it.

    One thread records; nothing is allocated for a frame.

    Args:
        block: frames of a block.
    """

    def __init__(self, block: int) -> None:
        self._length = max(block, LEAST_FRAMES)
        self._block, self._before = _Block(), _Block()

    def record(self, detections: int, score_sum: float, inference_ns: int) -> None:
        """Add a frame."""
        block = self._block
        if block.times.count >= self._length:
            self._before, self._block = block, _Block()
            block = self._block
        block.detections += detections
        block.score_sum += score_sum
        block.times.record(inference_ns)

    def behaviour(self) -> Behaviour | None:
        """Return the statistics; None where there were fewer than :data:`LEAST_FRAMES` frames."""
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
    """Sums over some frames."""

    __slots__ = ("detections", "score_sum", "times")

    def __init__(self) -> None:
        self.detections, self.score_sum, self.times = 0, 0.0, Histogram()
