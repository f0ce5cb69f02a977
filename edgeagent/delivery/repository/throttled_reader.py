"""Reading of transfers at a limited speed, with a minimum speed and cancellation."""

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
    """Reads answers piece by piece: not too fast, not too slowly, and until somebody cancels.

    Args:
        patience: gives the least speed.
        bandwidth: bytes per second at most, of all answers together; None does not limit.

    Attributes:
        slowest: bytes per second at least; half of ``bandwidth`` is always enough.
    """

    def __init__(self, patience: TransferLimits, bandwidth: int | None) -> None:
        self.patience = patience
        self._rate = None if bandwidth is None else RateLimit(bandwidth, bandwidth * BURST_S)
        self.slowest = patience.slowest if bandwidth is None else min(patience.slowest, bandwidth / 2)
        self._piece = _PIECE if bandwidth is None else min(_PIECE, max(1024, bandwidth // 8))

    def pieces(
        self,
        answer: TransportResponse,
        name: str,
        most: int | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Iterator[bytes]:
        """Give what the answer holds, ``most`` bytes at most, and close it.

        Raises:
            UnreachableError: see :meth:`TransportResponse.read`.
            TooSlowError: slower than patience allows.
            CancelledError: ``cancelled`` says so.
        """
        speed = Speed(self.slowest, self.patience.over_s, monotonic())
        with closing(answer):
            while most is None or most > 0:
                if cancelled():
                    raise CancelledError(f"{name}: the download was cancelled")
                piece = answer.read(self._piece if most is None else min(self._piece, most))
                if not piece:
                    return
                if speed.too_slow(len(piece), monotonic()):
                    raise TooSlowError(
                        f"{name}: slower than {self.slowest:.0f} bytes/s over {self.patience.over_s:g} s; "
                        "the download was given up"
                    )
                if most is not None:
                    most -= len(piece)
                yield piece
                if self._rate is not None:
                    wait(self._rate.delay_s(len(piece), monotonic_ns()), cancelled)


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
