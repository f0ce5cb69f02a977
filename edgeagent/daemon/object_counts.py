"""Number of objects by label over the frames of an interval, for one camera."""

from __future__ import annotations

from collections import Counter

from edgeagent.daemon.label_counts import LabelCounts
from edgeagent.telemetry.contract.objects import ObjectReport


class ObjectCounts:
    """Counts of one camera since the last :meth:`take`.

    Attributes:
        newest: counts of the newest frame; None before the first frame of the interval.
        left_out: number of detections that were left out since the start.
    """

    def __init__(self) -> None:
        self.newest: dict[str, int] | None = None
        self.left_out = self._frames = 0
        self._sums: Counter[str] = Counter()
        self._maxima: Counter[str] = Counter()

    def restart(self) -> None:
        """Begin an interval, also when another model begins to serve."""
        self.newest, self._frames, self._sums, self._maxima = None, 0, Counter(), Counter()

    def add(self, frame: LabelCounts) -> None:
        """Add the counts of a frame."""
        self.newest = frame.counts
        self.left_out += frame.left_out
        self._frames += 1
        self._sums.update(frame.counts)
        self._maxima |= Counter(frame.counts)

    def take(self) -> dict[str, ObjectReport] | None:
        """Return the counts of the interval, and begin the next one; None without a frame."""
        frames, newest, sums, maxima = self._frames, self.newest, self._sums, self._maxima
        self.restart()
        if newest is None:
            return None
        return {
            label: ObjectReport(current=count, maximum=maxima[label], mean=round(sums[label] / frames, 3))
            for label, count in newest.items()
        }
