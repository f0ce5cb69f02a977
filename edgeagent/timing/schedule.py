"""Schedule of what is done at regular times."""

from __future__ import annotations


def next_due(due_s: float, interval_s: float, now_s: float) -> float:
    """Return the next time of a schedule, in seconds; times that were missed are left out.

    A process that was frozen, or starved, would otherwise catch up with one run after the other.

    Args:
        due_s: time that has come.
        interval_s: between two times.
        now_s: of the same clock.
    """
    missed = max(0.0, now_s - due_s) // interval_s
    return due_s + (1 + missed) * interval_s
