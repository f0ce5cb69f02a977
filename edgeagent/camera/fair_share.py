"""Start-time fair queuing over cameras that share an engine.

Every camera has a weight and a virtual time that grows by 1/weight with each of its frames; the camera with
the lowest virtual time that has a frame is next. A camera that was inactive does not catch up: it continues
at the current virtual time, so it neither starves others nor is starved (Goyal, Vin and Cheng, "Start-time
Fair Queueing", 1996).
"""

from __future__ import annotations

from collections.abc import Sequence


class FairShare:
    """Scheduling order of a fixed number of cameras.

    Args:
        weights: relative share of the frames of each camera when all have frames; above 0.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)
        self._finish = [0.0] * len(self._weights)
        self._now = 0.0

    def order(self) -> list[int]:
        """Return the positions of all cameras, the next one first."""
        return sorted(range(len(self._weights)), key=self._start)

    def served(self, position: int) -> None:
        """Record that a frame of the camera at ``position`` was taken."""
        self._now = self._start(position)
        self._finish[position] = self._now + 1 / self._weights[position]

    def _start(self, position: int) -> float:
        return max(self._finish[position], self._now)
