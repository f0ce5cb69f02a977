"""Read time-out of a live camera, adapted to the interval of its frames."""

from __future__ import annotations

from collections import deque
from statistics import median

INTERVALS = 3.0
"""Time-out in usual intervals between frames."""

LONGEST_S = 60.0
"""Longest time-out that is adapted to; a longer configured one stays."""


class Patience:
    """Time-out that grows with the usual interval, so that a slow stream is not lost between two frames.

    Args:
        configured: configured time-out in seconds; the time-out is never shorter.
    """

    def __init__(self, configured: float) -> None:
        self._configured = configured
        self._intervals: deque[float] = deque(maxlen=8)
        self._last: float | None = None
        self._frames = 0

    @property
    def seconds(self) -> float:
        """Time-out for the next connection, in seconds."""
        if not self._intervals:
            return self._configured
        return max(self._configured, min(LONGEST_S, INTERVALS * median(self._intervals)))

    def frame(self, now: float) -> None:
        """Record a frame at monotonic time ``now`` in seconds."""
        if self._last is not None:
            self._intervals.append(now - self._last)
        self._last = now
        self._frames += 1

    def lost(self, now: float) -> None:
        """Record the end of a connection at ``now``; its last silence counts where it had one frame only."""
        if self._last is not None and self._frames == 1 and now - self._last >= self._configured:
            self._intervals.append(now - self._last)
        self._last = None
        self._frames = 0
