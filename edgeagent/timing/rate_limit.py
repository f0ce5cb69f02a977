"""Rate limits: evenly spaced events, bursts, or bytes of a transfer."""

from __future__ import annotations


class RateLimit:
    """A limit of ``burst`` events at once and ``per_second`` in the long run.

    The generic cell rate algorithm (ITU-T I.371, virtual scheduling); with a burst of 1 events pass evenly.
    The slot of an event that comes a little late is not moved, so that the rate is kept; after a pause the
    slots start anew. Times are nanoseconds of a monotonic clock.

    Args:
        per_second: events per second; 0 lets none through.
        burst: events that pass at once after a pause.
    """

    def __init__(self, per_second: float, burst: float = 1.0) -> None:
        self._per_second = per_second
        self._slot_ns = int(1e9 / per_second) if per_second else 0
        self._tolerance_ns = int((burst - 1) * 1e9 / per_second) if per_second else 0
        self._next_ns = 0

    def allows(self, now_ns: int) -> bool:
        """Return whether an event may pass now, and count it if so."""
        if not self._per_second or now_ns < self._next_ns - self._tolerance_ns:
            return False
        self._count(1.0, now_ns)
        return True

    def delay_s(self, amount: float, now_ns: int) -> float:
        """Count ``amount`` events that have passed, and return the seconds until more may pass."""
        self._count(amount, now_ns)
        return max(0.0, (self._next_ns - self._slot_ns - self._tolerance_ns - now_ns) / 1e9)

    def _count(self, amount: float, now_ns: int) -> None:
        paused = now_ns >= self._next_ns + self._slot_ns
        self._next_ns = (now_ns if paused else self._next_ns) + int(amount * 1e9 / self._per_second)
