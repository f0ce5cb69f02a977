"""Scene change: whether the objects of a camera differ from those that were reported last, with hysteresis.

A change of the number of objects of a label is reported once it has settled: an object that flickers around
the score threshold reports nothing. A movement is reported at a limited rate, and only above a share of the
size of the box: jitter reports nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeagent.vision.detections import Detections, FloatArray, IntArray

ChangeReason = Literal["start", "objects", "moved", "refresh"]


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """Limits of the reports of one camera.

    Attributes:
        moved: smallest movement of an edge of a box that is reported, as a share of its longer side.
        moves_every_s: shortest seconds between two reports of movements; also the longest seconds for which a
            number of objects that does not settle goes unreported.
        settle_s: seconds for which the number of objects of each label must stay the same.
        refresh_s: longest seconds between two reports.
    """

    moved: float
    moves_every_s: float
    settle_s: float
    refresh_s: float


class SceneChange:
    """Comparison of the detections of one camera with those that were reported last; not thread-safe.

    Args:
        limits: limits of the reports.
    """

    def __init__(self, limits: ChangeLimits) -> None:
        self._moved = limits.moved
        self._moves_every_ns = round(limits.moves_every_s * 1e9)
        self._settle_ns = round(limits.settle_s * 1e9)
        self._refresh_ns = round(limits.refresh_s * 1e9)
        self._reported: Detections | None = None
        self._counts = self._candidate = np.zeros(0, np.int32)
        self._reported_ns = self._differs_ns = self._candidate_ns = 0
        self._differs = False

    def reason(self, found: Detections, now_ns: int) -> ChangeReason | None:
        """Return why detections are to be reported, and record the report; None where they are not.

        Args:
            found: detections of a frame.
            now_ns: monotonic time in nanoseconds.
        """
        reason = self._compare(found, now_ns)
        if reason is not None:
            self._reported, self._counts = found, np.sort(found.classes)
            self._reported_ns, self._differs = now_ns, False
        return reason

    def _compare(self, found: Detections, now_ns: int) -> ChangeReason | None:
        before = self._reported
        if before is None:
            return "start"
        if found.labels is not before.labels and found.labels != before.labels:  # another model
            return "objects"
        elapsed_ns = now_ns - self._reported_ns
        if self._other_objects(np.sort(found.classes), now_ns):
            return "objects"
        if not self._differs and elapsed_ns >= self._moves_every_ns and has_moved(before, found, self._moved):
            return "moved"
        return "refresh" if elapsed_ns >= self._refresh_ns else None

    def _other_objects(self, counts: IntArray, now_ns: int) -> bool:
        """Return whether the number of objects of a label has changed for long enough."""
        if np.array_equal(counts, self._counts):
            self._differs = False
            return False
        if not self._differs:
            self._differs, self._differs_ns = True, now_ns
            self._candidate, self._candidate_ns = counts, now_ns
        elif not np.array_equal(counts, self._candidate):
            self._candidate, self._candidate_ns = counts, now_ns
        return (
            now_ns - self._candidate_ns >= self._settle_ns
            or now_ns - self._differs_ns >= self._moves_every_ns
        )


def has_moved(before: Detections, after: Detections, share: float) -> bool:
    """Return whether an object has moved, grown or shrunk, or was replaced by another one of its label.

    Args:
        before: N detections.
        after: M detections, with the same number of objects of each label.
        share: smallest movement of an edge of a box, as a share of its longer side.
    """
    if not len(before) or not len(after):
        return len(before) != len(after)
    distances = _distances(before, after)
    nearest = max(float(distances.min(axis=1).max()), float(distances.min(axis=0).max()))
    return nearest > share


def _distances(before: Detections, after: Detections) -> FloatArray:
    """Return (N, M) float32: largest distance of two edges by the longer side, infinite between labels."""
    sides = before.boxes[:, 2:] - before.boxes[:, :2]
    longer = np.maximum(sides.max(axis=1), 1.0)
    edges = np.abs(before.boxes[:, None] - after.boxes[None]).max(axis=2)
    same = before.classes[:, None] == after.classes[None]
    distances: FloatArray = np.where(same, edges / longer[:, None], np.float32(np.inf))
    return distances
