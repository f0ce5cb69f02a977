"""Progress of a part that runs in a thread of its own, as its watchdog sees it.

::

    part:      expect(5, "waiting for input") -> expect(2, "reading") -> expect(inf, "waiting for a frame")
    watchdog:  sample() every few seconds: no new step for longer than announced, and a margin -> stalled

A part announces each step with the time in which the next one follows. One that waits for something outside
of it, such as a frame, announces no time: its waiting is no stall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

UNLIMITED_S = math.inf
"""Announced time of a part that waits for something outside of it."""


@dataclass(frozen=True, slots=True)
class ProgressSample:
    """What a part has announced.

    Attributes:
        name: of the part.
        steps: number of steps so far.
        within_s: seconds from the last step in which the next one was to follow.
        doing: what the part does in that time.
    """

    name: str
    steps: int
    within_s: float
    doing: str


class Progress:
    """Announcements of one part; a single thread announces, any thread samples.

    Args:
        name: of the part.
    """

    def __init__(self, name: str) -> None:
        self._last = ProgressSample(name, 0, UNLIMITED_S, "not started")

    def expect(self, within_s: float, doing: str) -> None:
        """Announce a step, and that the next one follows in ``within_s`` seconds."""
        last = self._last
        self._last = ProgressSample(last.name, last.steps + 1, within_s, doing)

    def sample(self) -> ProgressSample:
        """Return what was announced last."""
        return self._last


class StallCheck:
    """Time that parts have been without progress, counted by the one who looks at them.

    Time in which the looker itself did not run, on a starved or frozen machine, is not counted: a look that
    comes late counts as ``most_s`` seconds.

    Args:
        margin_s: seconds after the announced time at which a part counts as stalled.
        most_s: seconds that one look counts at most.
    """

    def __init__(self, margin_s: float, most_s: float) -> None:
        self._margin_s, self._most_s = margin_s, most_s
        self._counted: dict[str, tuple[int, float]] = {}

    def stalled_s(self, sample: ProgressSample, passed_s: float) -> float | None:
        """Return the seconds without progress if the part has stalled, else None.

        Args:
            sample: of now.
            passed_s: seconds since the last look.
        """
        steps, counted = self._counted.get(sample.name, (-1, 0.0))
        moved = sample.steps != steps or sample.within_s == UNLIMITED_S
        counted = 0.0 if moved else counted + min(passed_s, self._most_s)
        self._counted[sample.name] = sample.steps, counted
        return counted if counted > sample.within_s + self._margin_s else None
