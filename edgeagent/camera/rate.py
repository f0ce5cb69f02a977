"""Frame rate over a short sliding window."""

from __future__ import annotations

from collections import deque

_NS = 1_000_000_000


class FrameRate:
    """Recent rate of events.

    The rate is the number of intervals in the window divided by their total duration, which is exact for a
    steady stream. Once the next event is overdue, the time since the last one is included and the rate falls.

    Args:
        window: seconds; the last two events always count, for streams slower than the window.
    """

    def __init__(self, window: float = 2.0) -> None:
        self._window_ns = round(window * _NS)
        self._times: deque[int] = deque()

    def add(self, now_ns: int) -> None:
        """Record an event at the monotonic time ``now_ns`` in nanoseconds."""
        self._times.append(now_ns)
        self._discard_old(now_ns)

    def reset(self) -> None:
        """Discard all events."""
        self._times.clear()

    def per_second(self, now_ns: int) -> float:
        """Return events per second at ``now_ns``; 0 before the second event."""
        self._discard_old(now_ns)
        intervals = len(self._times) - 1
        if intervals < 1:
            return 0.0
        span = self._times[-1] - self._times[0]
        overdue = now_ns - self._times[-1] - span // intervals
        total = span + max(0, overdue)
        return intervals * _NS / total if total > 0 else 0.0

    def _discard_old(self, now_ns: int) -> None:
        while len(self._times) > 2 and self._times[0] < now_ns - self._window_ns:
            self._times.popleft()
