"""Limit of a fault that is told again and again, so that the log has one line for it, and later reminders."""

from __future__ import annotations

FIRST_S, LONGEST_S = 600.0, 86400.0
MOST_TEXTS = 8
"""Different texts of one limit that are told at once; further ones count as one text."""


class RepeatLimit:
    """Tells each text at once, and repeats it after pauses that double from ``first_s`` to ``longest_s``.

    Args:
        first_s: first pause, and time without a fault after which all texts are new again, in seconds.
        longest_s: longest pause, in seconds.
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._told: dict[str, tuple[float, float]] = {}  # time and pause, by text

    def allows(self, text: str, now_s: float) -> bool:
        """Return whether a text is to be told at monotonic time ``now_s``, and count it as told."""
        key = text if text in self._told or len(self._told) < MOST_TEXTS else ""
        last = self._told.get(key)
        if last is not None and now_s < last[0] + last[1]:
            return False
        pause_s = self._first_s if last is None else min(2 * last[1], self._longest_s)
        self._told[key] = now_s, pause_s
        return True

    def worked(self, for_s: float) -> None:
        """Record that there was no fault for so many seconds; long enough, and all texts are new again."""
        if for_s >= self._first_s:
            self._told.clear()
