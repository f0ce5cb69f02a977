"""Pacing: due times of the frames of a file that is played at its own rate."""

from __future__ import annotations

_UNKNOWN_FPS = 25.0
_MAX_STEP = 10.0
_MAX_DELAY = 1.0


class Pacer:
    """Schedule on the monotonic clock; neither waits nor reads a clock.

    The distance between frames is the difference of their time stamps, or one frame period where a file has
    no time stamps or they jump (concatenated file, next round of a loop). Late frames do not shift the
    schedule; a frame more than one second late restarts it, as after a suspend or on a board that decodes
    slower than real time.

    Args:
        fps: nominal frame rate of the file; None assumes 25.
    """

    def __init__(self, fps: float | None) -> None:
        self._period = 1.0 / (fps or _UNKNOWN_FPS)
        self._due: float | None = None
        self._position: float | None = None

    def due(self, position: float | None, now: float) -> float:
        """Return the due time of the next frame.

        Args:
            position: time stamp of the frame in its file in seconds; None when unknown.
            now: monotonic time in seconds.

        Returns:
            Monotonic time in seconds; in the past for a late frame.
        """
        step = self._period
        if position is not None and self._position is not None:
            difference = position - self._position
            if 0.0 < difference <= _MAX_STEP:
                step = difference
        due = now if self._due is None else self._due + step
        if due < now - _MAX_DELAY:
            due = now
        self._due, self._position = due, position
        return due
