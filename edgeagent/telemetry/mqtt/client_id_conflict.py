"""Detection of a client ID conflict: two clients with one ID disconnect each other, and back off from it.

A broker closes the first connection when a second client connects with the same ID (MQTT 5, 3.1.4-3). With
MQTT 5 it may give the reason (code 142; mosquitto 2.0.11 does not). Without one, connections break soon after
they were established, which an unstable network causes as well, so more of them are required. The pauses are
random, as both clients may run this program.
"""

from __future__ import annotations

import random
from collections import deque

WITHIN_S = 120.0
SOON_S = 10.0
"""A connection lost within this time may have been taken over."""
KNOWN, GUESSED = 3, 6
"""Number of reported takeovers, and of connections lost soon, within :data:`WITHIN_S` that is a conflict."""
FIRST_S, LONGEST_S = 60.0, 900.0


class ClientIdConflict:
    """Counter of lost connections that decides how long to back off. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._taken_over: deque[float] = deque()
        self._lost_soon: deque[float] = deque()
        self._since: float | None = None
        self._pause: float | None = None

    def connected(self, now: float) -> None:
        """Record that the broker has accepted the connection."""
        self._since = now

    def lost(self, now: float, taken_over: bool) -> int | None:
        """Record a lost connection; return the pause in seconds, None for the usual one.

        Args:
            now: monotonic seconds.
            taken_over: whether the broker reports another client with this ID.
        """
        held = None if self._since is None else now - self._since
        self._since = None
        if held is not None and held > 2 * (self._pause or WITHIN_S):
            self._pause = None  # the other client is gone
            self._taken_over.clear()
            self._lost_soon.clear()
        soon = held is not None and held < SOON_S
        if taken_over:
            self._taken_over.append(now)
        elif soon:
            self._lost_soon.append(now)
        if self._pause is not None:
            if not taken_over and not soon:
                return None
            self._pause = min(self._pause * 2, LONGEST_S)
        elif _recent(self._taken_over, now) >= KNOWN or _recent(self._lost_soon, now) >= GUESSED:
            self._pause = FIRST_S
        else:
            return None
        return round(self._pause * random.uniform(1.0, 1.5))


def _recent(moments: deque[float], now: float) -> int:
    """Remove moments older than :data:`WITHIN_S`, and return the number of the others."""
    while moments and now - moments[0] > WITHIN_S:
        moments.popleft()
    return len(moments)
