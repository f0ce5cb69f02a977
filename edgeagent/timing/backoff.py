"""Exponential back-off between the attempts of something that fails."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from ``first`` to ``longest`` seconds.

    With jitter, clients that failed together (a switch that restarts) do not all come back at one moment.

    Args:
        first: seconds of the first delay.
        longest: seconds of the longest delay; at least ``first`` is taken.
        jitter: share of a delay that is random, 0..1; 0 makes delays exact.
    """

    def __init__(self, first: float, longest: float, jitter: float = 0.5) -> None:
        self._first = first
        self._longest = max(first, longest)
        self._jitter = jitter
        self._current = first

    @property
    def current(self) -> float:
        """Seconds that the next delay lasts at most."""
        return self._current

    def next(self) -> float:
        """Return the seconds to wait before the next attempt, and double the one after it."""
        delay = self._current * random.uniform(1.0 - self._jitter, 1.0)
        self._current = min(self._longest, self._current * 2)
        return delay

    def reset(self) -> None:
        """Start from the first delay again."""
        self._current = self._first
