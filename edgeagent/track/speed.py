"""Speed of an object from its positions on the ground."""

from __future__ import annotations

import numpy as np

MOST = 100.0
"""Metres per second above which a speed is none: next to the horizon a pixel is many metres."""
SPEED_OVER_S = 1.0
"""Time over which a speed is measured: boxes jitter by a few pixels from frame to frame."""


class Speed:
    """Speed of one object from its positions."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float, float]] = []

    def add(self, time_s: float, x: float, y: float) -> float | None:
        """Add a position in metres; return metres per second over the last second, None before there is one.

        The positions of the first and second half of the time are averaged, and the distance of the averages
        is divided by their distance in time.
        """
        if not (np.isfinite(x) and np.isfinite(y)):
            return None
        self._seen.append((time_s, x, y))
        while len(self._seen) > 2 and self._seen[1][0] <= time_s - SPEED_OVER_S:
            self._seen.pop(0)
        if time_s - self._seen[0][0] < SPEED_OVER_S / 2:
            return None
        half = len(self._seen) // 2
        if not half:
            return None
        t0, x0, y0 = np.mean(self._seen[:half], 0)
        t1, x1, y1 = np.mean(self._seen[half:], 0)
        speed = float(np.hypot(x1 - x0, y1 - y0) / (t1 - t0))
        return speed if speed <= MOST else None
