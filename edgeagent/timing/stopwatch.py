"""How long a deployment takes, over restarts of the agent, by a clock that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable

SAVE_EVERY_S = 60.0


def boot_seconds() -> float:
    """Return seconds since the boot, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Stopwatch:
    """Counts the seconds of one deployment while the agent runs.

    Args:
        clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = boot_seconds) -> None:
        self._clock = clock
        self._counted, self._saved = 0.0, 0.0
        self._since: float | None = None

    def start(self, spent_s: float = 0.0) -> None:
        """Count from ``spent_s`` seconds that earlier runs of the agent took."""
        self._counted = self._saved = spent_s
        self._since = self._clock()

    def pause(self) -> None:
        """Count no further until :meth:`resume`."""
        self._counted, self._since = self.spent_s(), None

    def resume(self) -> None:
        """Count again."""
        if self._since is None:
            self._since = self._clock()

    def spent_s(self) -> float:
        """Return the seconds so far."""
        return self._counted + (0.0 if self._since is None else self._clock() - self._since)

    def to_save(self) -> float | None:
        """Return the seconds where they have not been saved for long; None where that is not needed."""
        spent = self.spent_s()
        if spent - self._saved < SAVE_EVERY_S:
            return None
        self._saved = spent
        return spent
