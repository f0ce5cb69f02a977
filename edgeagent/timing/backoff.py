"""Exponential back-off with jitter between attempts to open a lost camera."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from ``first`` to ``longest`` seconds.

    Each is drawn from the upper half of its range, so that cameras lost together (a switch that
    restarts) do not all come back at one moment.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = max(first, longest)
        self._current = first

    @property
    def current(self) -> float:
        """Seconds the next delay lasts at most."""
        return self._current

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        delay = self._current * random.uniform(0.5, 1.0)
        self._current = min(self._longest, self._current * 2)
        return delay

    def reset(self) -> None:
        """Start from the first delay again."""
        self._current = self._first
