"""Camera time: intervals between frames, and breaks after which nothing can be followed."""

from __future__ import annotations

from math import isfinite, isnan, nan

from edgeagent.errors import DataError

JITTER_S = 0.1
"""A frame that is older than the one before by no more than this is taken as of the same time."""

USUAL_INTERVALS = 3
"""Intervals of the usual length that are no break, however long they are."""


class CameraClock:
    """Time of the frames of one camera.

    Args:
        break_s: seconds between two frames that are a break, unless frames usually come that slowly.

    Attributes:
        break_s: as given.
        now_s: time of the latest frame; not a number before the first.
    """

    def __init__(self, break_s: float) -> None:
        self.break_s = break_s
        self._last_intervals: tuple[float, ...] = ()
        self.now_s = nan

    def advance(self, time_s: float) -> float | None:
        """Take the time of the next frame.

        Returns:
            Seconds since the frame before, 0 or more; None for the first frame, after a break, and where the
            clock was set back.

        Raises:
            DataError: the time is not finite.
        """
        if not isfinite(time_s):
            raise DataError(f"time of a frame: expected seconds, got {time_s}")
        if isnan(self.now_s):
            self.now_s = time_s
            return None
        interval = time_s - self.now_s
        if interval < -JITTER_S:
            self.now_s, self._last_intervals = time_s, ()
            return None
        interval = max(interval, 0.0)
        self.now_s = max(time_s, self.now_s)
        usual = min(self._last_intervals, default=0.0)
        self._last_intervals = (*self._last_intervals[-1:], interval)
        return None if interval > max(self.break_s, USUAL_INTERVALS * usual) else interval
