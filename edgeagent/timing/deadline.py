"""Deadline that several waits share, so that their sum is bounded, whichever of them takes long."""

from __future__ import annotations

import time


class Deadline:
    """Moment up to which all waits together may last.

    Args:
        seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._at_s = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0.0 when it has passed."""
        return self.share_s()

    def share_s(self, most_s: float = float("inf"), keep_s: float = 0.0) -> float:
        """Return the seconds that one wait may last: ``most_s`` at most, ``keep_s`` less than are left."""
        return min(most_s, max(0.0, self._at_s - keep_s - time.monotonic()))
