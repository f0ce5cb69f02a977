"""Frames per second over a short sliding window."""

from __future__ import annotations

from collections import deque

_NS = 1_000_000_000


class FrameRate:
    """The rate at which events came lately.

    It is the number of intervals in the window by their total time, so a steady stream reads exactly
    its rate. Once the next frame is overdue the time since the last one counts too and the rate sinks.

    Args:
        window: seconds; the last two events count whatever their age, for streams slower than it.
    """

    def __init__(self, window: float = 2.0) -> None:
        self._window_ns = round(window * _NS)
        self._times: deque[int] = deque()

    def add(self, now_ns: int) -> None:
        """Count an event at ``now_ns`` on the monotonic clock."""
        self._times.append(now_ns)
        self._forget(now_ns)

    def reset(self) -> None:
        """Forget all events."""
        self._times.clear()

    def per_second(self, now_ns: int) -> float:
        """Events per second at ``now_ns``; 0 until there were two."""
        self._forget(now_ns)
        intervals = len(self._times) - 1
        if intervals < 1:
            return 0.0
        span = self._times[-1] - self._times[0]
        overdue = now_ns - self._times[-1] - span // intervals
        total = span + max(0, overdue)
        return intervals * _NS / total if total > 0 else 0.0

    def _forget(self, now_ns: int) -> None:
        while len(self._times) > 2 and self._times[0] < now_ns - self._window_ns:
            self._times.popleft()
