"""Limiting messages to a rate."""

from __future__ import annotations


class RateLimit:
    """Lets at most ``per_second`` events through, evenly; 0 lets none through."""

    def __init__(self, per_second: float) -> None:
        self._interval_ns = int(1e9 / per_second) if per_second else None
        self._next_ns = 0

    def allows(self, now_ns: int) -> bool:
        """Return whether an event at this monotonic time (ns) may pass, and count it if so."""
        if self._interval_ns is None or now_ns < self._next_ns:
            return False
        # The next slot of the row, so that the rate is kept when events come a little late; after a pause
        # a new row begins, else a second event would follow at once.
        following = self._next_ns + self._interval_ns
        self._next_ns = following if following > now_ns else now_ns + self._interval_ns
        return True


class Allowance:
    """Lets ``burst`` events through at once, and ``per_second`` in the long run (a token bucket)."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._left, self._then = float(burst), 0.0

    def allows(self, now: float) -> bool:
        """Return whether an event at this time (monotonic seconds) may pass, and count it if so."""
        self._left = min(self._burst, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
