"""Running time of a deployment over restarts of the agent, by a monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

SAVE_EVERY_S = 60.0


def boot_seconds() -> float:
    """Return the seconds since the boot, suspended time included (CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Stopwatch:
    """Counter of seconds, which can pause and be saved.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = boot_seconds) -> None:
        self._clock = clock
        self._counted, self._saved = 0.0, 0.0
        self._since: float | None = None

    def start(self, spent_s: float = 0.0) -> None:
        """Start at ``spent_s``, the seconds of earlier runs of the agent."""
        self._counted = self._saved = spent_s
        self._since = self._clock()

    def pause(self) -> None:
        """Stop counting until :meth:`resume`."""
        self._counted, self._since = self.spent_s(), None

    def resume(self) -> None:
        """Go on counting."""
        if self._since is None:
            self._since = self._clock()

    def spent_s(self) -> float:
        """Return the seconds so far."""
        return self._counted + (0.0 if self._since is None else self._clock() - self._since)

    def to_save(self) -> float | None:
        """Return the seconds when :data:`SAVE_EVERY_S` have passed since they were saved; None before."""
        spent = self.spent_s()
        if spent - self._saved < SAVE_EVERY_S:
            return None
        self._saved = spent
        return spent
