"""Whose frame is next: start-time fair queuing over cameras that share an engine.

Every camera has a weight and a virtual time that grows by 1/weight with each of its frames; the camera with
the least virtual time that has a frame is next. One that was away does not catch up: it continues at the
present virtual time, so that it can neither starve nor be starved (Goyal, Vin and Cheng, "Start-time Fair
Queueing", 1996).
"""

from __future__ import annotations

from collections.abc import Sequence


class FairShare:
    """Order of a fixed number of cameras.

    Args:
        weights: share of the frames that each camera gets when all have some, above 0.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self._weights = tuple(weights)
        self._finish = [0.0] * len(self._weights)
        self._now = 0.0

    def order(self) -> list[int]:
        """Return the positions of all cameras, the next one first."""
        return sorted(range(len(self._weights)), key=self._start)

    def served(self, position: int) -> None:
        """Tell that a frame of a camera was taken."""
        self._now = self._start(position)
        self._finish[position] = self._now + 1 / self._weights[position]

    def _start(self, position: int) -> float:
        return max(self._finish[position], self._now)
