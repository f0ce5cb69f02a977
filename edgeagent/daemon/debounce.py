"""Debounced presence of one label at one camera.

::

    unknown -> absent    with the first frame that does not show it
    unknown, absent -> present    once every frame has shown it for appear_after
    present -> absent    once no frame has shown it for disappear_after
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """Time of capture of a frame.

    Attributes:
        monotonic_s: monotonic time, in s.
        utc_s: the same moment in UTC, in s since 1970.
    """

    monotonic_s: float
    utc_s: float


class DebouncedLabel:
    """Presence of a label.

    Args:
        appear_after: seconds in which every frame must show it.
        disappear_after: seconds without a frame that shows it.

    Attributes:
        present: whether it is present; None before that is known.
        since: time at which it was first seen, or last seen; None while ``present`` is None.
    """

    def __init__(self, appear_after: float, disappear_after: float) -> None:
        self._appear_after, self._disappear_after = appear_after, disappear_after
        self.present: bool | None = None
        self.since: Moment | None = None
        self._first: Moment | None = None  # of the frames in a row that show it
        self._last: Moment | None = None  # frame that shows it

    def observe(self, seen: bool, now: Moment) -> bool:
        """Record a frame; return whether ``present`` has changed."""
        if seen:
            self._first = self._first or now
            self._last = now
            if not self.present and _elapsed(self._first, now) >= self._appear_after:
                self.present, self.since = True, self._first
                return True
            return False
        self._first = None
        if self.present is None:
            self.present, self.since = False, now
            return True
        if self.present and self._last and _elapsed(self._last, now) >= self._disappear_after:
            self.present, self.since = False, self._last
            return True
        return False


def _elapsed(begin: Moment, end: Moment) -> float:
    return end.monotonic_s - begin.monotonic_s
