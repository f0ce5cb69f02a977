"""How fast bytes may come, and how slowly.

Arithmetic only: time is an argument, seconds of a monotonic clock.
"""

from __future__ import annotations


class Bucket:
    """Token bucket: on average ``rate`` bytes per second, a quarter of a second's worth at once.

    Args:
        rate: bytes per second.
        now: seconds.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = 0.0
        self._now = now

    def take(self, size: int, now: float) -> float:
        """Take ``size`` bytes, and return the seconds to wait before more are read."""
        self._tokens = min(self._rate / 4, self._tokens + (now - self._now) * self._rate) - size
        self._now = now
        return max(0.0, -self._tokens / self._rate)


class Speed:
    """Speed of a download in windows of ``over_s`` seconds, one after the other.

    Args:
        slowest: bytes per second that are just fast enough.
        over_s: length of a window.
        now: seconds.
    """

    def __init__(self, slowest: float, over_s: float, now: float) -> None:
        self._slowest = slowest
        self._over_s = over_s
        self._begin = now
        self._bytes = 0

    def too_slow(self, size: int, now: float) -> bool:
        """Count ``size`` bytes; true where a window has ended with too few of them."""
        self._bytes += size
        lasted = now - self._begin
        if lasted < self._over_s:
            return False
        slow = self._bytes < self._slowest * lasted
        self._begin, self._bytes = now, 0
        return slow
