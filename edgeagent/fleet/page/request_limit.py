"""Limit of requests by visitor: a user, or else the address of a client."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from edgeagent.timing.rate_limit import RateLimit

PER_S, BURST = 20.0, 100.0
"""Requests of one visitor: in the long run, and at once after a pause."""
MOST_VISITORS = 4096


class RequestLimit:
    """Rate limits by visitor; used by one event loop.

    Args:
        per_second, burst: of each visitor.
        clock: returns monotonic nanoseconds.
    """

    def __init__(
        self, per_second: float = PER_S, burst: float = BURST, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._limits: OrderedDict[str, RateLimit] = OrderedDict()

    def allows(self, visitor: str) -> bool:
        """Count a request, and return whether it may be answered."""
        limit = self._limits.pop(visitor, None)
        if limit is None:
            limit = RateLimit(self._per_second, self._burst)
            while len(self._limits) >= MOST_VISITORS:
                self._limits.popitem(last=False)
        self._limits[visitor] = limit
        return limit.allows(self._clock())
