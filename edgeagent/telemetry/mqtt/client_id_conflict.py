"""Two clients with one id push each other off the broker: noticed, and answered by waiting longer.

A broker closes the first connection when a second comes with the same client id (MQTT 5, 3.1.4-3). With MQTT
5 it may say so (reason code 142; mosquitto 2.0.11 does not). Else connections just break soon after they were
made, which a bad network does as well, so there more of them are needed. Both clients may be of this program:
random pauses keep them from meeting again.
"""

from __future__ import annotations

import random
from collections import deque

WITHIN_S = 120.0
SOON_S = 10.0
"""A connection that breaks within this was perhaps taken over."""
KNOWN, GUESSED = 3, 6
"""Takeovers, and connections that broke soon, within :data:`WITHIN_S` that are too many."""
FIRST_S, LONGEST_S = 60.0, 900.0


class ClientIdConflict:
    """Counts, and says how long to wait. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._known: deque[float] = deque()
        self._soon: deque[float] = deque()
        self._since: float | None = None
        self._pause: float | None = None

    def connected(self, now: float) -> None:
        """Note that the broker has accepted the connection."""
        self._since = now

    def lost(self, now: float, taken_over: bool) -> int | None:
        """Note that it was lost; return the seconds to wait, None for what is usual.

        Args:
            now: monotonic seconds.
            taken_over: the broker says that another client has come with this id.
        """
        held = None if self._since is None else now - self._since
        self._since = None
        if held is not None and held > 2 * (self._pause or WITHIN_S):
            self._pause = None  # the other one is gone
            self._known.clear()
            self._soon.clear()
        soon = held is not None and held < SOON_S
        if taken_over:
            self._known.append(now)
        elif soon:
            self._soon.append(now)
        if self._pause is not None:
            if not taken_over and not soon:
                return None
            self._pause = min(self._pause * 2, LONGEST_S)
        elif _within(self._known, now) >= KNOWN or _within(self._soon, now) >= GUESSED:
            self._pause = FIRST_S
        else:
            return None
        return round(self._pause * random.uniform(1.0, 1.5))


def _within(moments: deque[float], now: float) -> int:
    """Forget what is older than :data:`WITHIN_S`, and count the rest."""
    while moments and now - moments[0] > WITHIN_S:
        moments.popleft()
    return len(moments)
