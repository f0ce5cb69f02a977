"""Replay of spooled messages in the order of their publication, read ahead and rate-limited."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection

from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool
from edgeagent.telemetry.mqtt.spool import SpooledMessage
from edgeagent.timing.rate_limit import RateLimit

logger = logging.getLogger(__name__)

READ_AHEAD = 32


class Replay:
    """Position of the replay in a spool. One thread uses it.

    Args:
        spool: spool to read.
        rate: highest number of messages per second.
        on_corrupted: called with the number of corrupted messages that were deleted.

    Attributes:
        interval_s: seconds between two messages.
        finished: whether every message of the spool has been replayed; the owner resets it when the spool
            gets new messages.
    """

    def __init__(self, spool: FaultTolerantSpool, rate: float, on_corrupted: Callable[[int], None]) -> None:
        self._spool, self._on_corrupted = spool, on_corrupted
        self._limit = RateLimit(rate)
        self._ahead: deque[SpooledMessage] = deque()  # read from the spool, to be replayed next
        self._last = 0  # ID of the last replayed message
        self.interval_s = 1 / rate
        self.finished = False

    def allows(self, now_ns: int) -> bool:
        """Return whether a message may be replayed at this monotonic time (ns), and count it if so."""
        return self._limit.allows(now_ns)

    def next(self, skipped: Collection[int]) -> SpooledMessage | None:
        """Return the next message whose ID is not in ``skipped``, without advancing; None at the end.

        Corrupted messages are deleted from the spool and reported.
        """
        while True:
            while self._ahead and self._ahead[0].id in skipped:
                self.advance()
            if self._ahead:
                return self._ahead[0]
            found = self._spool.after(self._last, READ_AHEAD)
            if found is None:
                return None
            intact, corrupted = found
            if corrupted and self._spool.remove(corrupted):
                logger.error("%d messages of the spool are corrupted, and dropped", len(corrupted))
                self._on_corrupted(len(corrupted))
            if not intact:
                self.finished = True
                return None
            self._ahead.extend(intact)

    def advance(self) -> None:
        """Record that the message last returned was replayed."""
        self._last = self._ahead.popleft().id

    def discard_read_ahead(self) -> None:
        """Discard messages that were read ahead, as the spool has evicted some."""
        self._ahead.clear()
