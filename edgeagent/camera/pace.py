"""When each frame of a file is due, so that the file plays at its own rate."""

from __future__ import annotations

_UNKNOWN_FPS = 25.0
_LONGEST_STEP = 10.0
_LATEST = 1.0


class Pacer:
    """A schedule on the monotonic clock; it neither waits nor reads a clock itself.

    Frames follow each other by the difference of their time stamps. Where a file has none, or they
    jump (a concatenated file, the next round of a loop), one frame period is taken instead. Frames
    that are late do not shift the schedule; one that is later than a second starts it anew, as after
    a suspend or on a board that decodes slower than the file plays.

    Args:
        fps: nominal rate of the file; None takes 25.
    """

    def __init__(self, fps: float | None) -> None:
        self._period = 1.0 / (fps or _UNKNOWN_FPS)
        self._due: float | None = None
        self._position: float | None = None

    def due(self, position: float | None, now: float) -> float:
        """When the next frame is due.

        Args:
            position: time stamp of the frame in its file in seconds, None when unknown.
            now: monotonic clock in seconds.

        Returns:
            Monotonic clock in seconds; in the past for a frame that is late.
        """
        step = self._period
        if position is not None and self._position is not None:
            difference = position - self._position
            if 0.0 < difference <= _LONGEST_STEP:
                step = difference
        due = now if self._due is None else self._due + step
        if due < now - _LATEST:
            due = now
        self._due, self._position = due, position
        return due
