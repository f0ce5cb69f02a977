"""Reading of responses with a maximum and a minimum speed, and cancellation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic, monotonic_ns

from edgeagent.delivery.errors import CancelledError, TooSlowError
from edgeagent.delivery.repository.transfer_limits import TransferLimits, never, wait
from edgeagent.delivery.repository.transport import TransportResponse
from edgeagent.timing.rate_limit import RateLimit

BURST_S = 0.25  # of the bandwidth, that may come at once after a pause
_PIECE = 1 << 16


class ThrottledReader:
    """Reader of responses, piece by piece.

    Args:
        limits: minimum speed.
        bandwidth: maximum speed of all responses together, bytes per second; None does not limit.

    Attributes:
        limits: as given.
        slowest: minimum speed, bytes per second; at most half of ``bandwidth``.
    """

    def __init__(self, limits: TransferLimits, bandwidth: int | None) -> None:
        self.limits = limits
        self._rate = None if bandwidth is None else RateLimit(bandwidth, bandwidth * BURST_S)
        self.slowest = limits.slowest if bandwidth is None else min(limits.slowest, bandwidth / 2)
        self._piece = _PIECE if bandwidth is None else min(_PIECE, max(1024, bandwidth // 8))

    def pieces(
        self,
        response: TransportResponse,
        name: str,
        most: int | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[bytes]:
        """Yield the content of a response, ``most`` bytes at most, and close it.

        Args:
            response: to read.
            name: of the file, for messages.
            most: bytes; None reads to the end.
            cancelled: asked before every piece, and while waiting.

        Raises:
            UnreachableError: see :meth:`TransportResponse.read`.
            TooSlowError: below the minimum speed.
            CancelledError: ``cancelled`` returned True.
        """
        speed = MinimumSpeed(self.slowest, self.limits.over_s, monotonic())
        with closing(response):
            while most is None or most > 0:
                if cancelled():
                    raise CancelledError(f"{name}: the download was cancelled")
                piece = response.read(self._piece if most is None else min(self._piece, most))
                if not piece:
                    return
                if speed.too_slow(len(piece), monotonic()):
                    raise TooSlowError(
                        f"{name}: slower than {self.slowest:.0f} bytes/s over {self.limits.over_s:g} s; "
                        "the download was given up"
                    )
                if most is not None:
                    most -= len(piece)
                yield piece
                if self._rate is not None:
                    wait(self._rate.delay_s(len(piece), monotonic_ns()), cancelled)


class MinimumSpeed:
    """Check of a download's speed in successive windows of ``over_s`` seconds.

    Args:
        slowest: minimum speed, bytes per second.
        over_s: seconds of a window.
        now: monotonic seconds.
    """

    def __init__(self, slowest: float, over_s: float, now: float) -> None:
        self._slowest = slowest
        self._over_s = over_s
        self._begin = now
        self._bytes = 0

    def too_slow(self, size: int, now: float) -> bool:
        """Count ``size`` bytes; return whether a window has ended with too few bytes."""
        self._bytes += size
        duration = now - self._begin
        if duration < self._over_s:
            return False
        slow = self._bytes < self._slowest * duration
        self._begin, self._bytes = now, 0
        return slow
