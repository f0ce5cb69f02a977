"""Class of a camera's picture over time, debounced.

::

    unknown, another label -> label    once every frame has shown the label for appear_after
    label -> unknown                   once no frame has shown the label for disappear_after

A frame shows a label where its score reaches the threshold; a frame without such a label is unsure, and ends
a row of frames that show one.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.vision.classification import Classification


@dataclass(frozen=True)
class ClassChange:
    """Change of the class of a camera's picture.

    Attributes:
        label: new label; None where it is unknown from now on.
        before: label until then; None where it was unknown.
        score: score of the new label in the frame that settled it; None without a label.
        since_utc_s: time of capture of the first frame that has shown the label, or of the last one that has
            shown the label before; in s since 1970.
    """

    label: str | None
    before: str | None
    score: float | None
    since_utc_s: float

    def describe(self, camera: str) -> str:
        """Return the change in words."""
        if self.label is None:
            return f"camera {camera} no longer shows {self.before}, and nothing else for certain"
        before = f", before {self.before}" if self.before is not None else ""
        return f"camera {camera} shows {self.label}{before}"


@dataclass(frozen=True)
class _Frame:
    """Time of a frame: monotonic, and UTC in s since 1970."""

    monotonic_s: float
    utc_s: float


class PictureClass:
    """Debounced class of one camera.

    Args:
        appear_after: seconds in which every frame must show a label.
        disappear_after: seconds without a frame that shows the label.
        least_score: lowest score of a label that a frame shows, 0..1.

    Attributes:
        label: present label; None while it is unknown.
        since_utc_s: time since which it is that, in s since 1970; None before anything is known.
    """

    def __init__(self, appear_after: float, disappear_after: float, least_score: float) -> None:
        self._appear_after, self._disappear_after = appear_after, disappear_after
        self._least_score = least_score
        self.label: str | None = None
        self.since_utc_s: float | None = None
        self._last: _Frame | None = None  # that shows the label
        self._next: str | None = None  # label that frames in a row show
        self._first: _Frame | None = None  # of these

    def observe(self, found: Classification, monotonic_s: float, utc_s: float) -> ClassChange | None:
        """Record a frame; return the change that it makes, if it makes one.

        Args:
            found: class of the frame.
            monotonic_s: time of capture in s of the monotonic clock.
            utc_s: the same moment in s since 1970.
        """
        now = _Frame(monotonic_s, utc_s)
        shown = found.label if found.score >= self._least_score else None
        if shown is not None and shown == self.label:
            self._last, self._next = now, None
            return None
        if shown != self._next or self._first is None:
            self._next, self._first = shown, now
        if shown is not None and monotonic_s - self._first.monotonic_s >= self._appear_after:
            return self._change(shown, found.score, self._first, now)
        if self.label is None or self._last is None:
            return None
        if monotonic_s - self._last.monotonic_s >= self._disappear_after:
            return self._change(None, None, self._last, now)
        return None

    def _change(self, label: str | None, score: float | None, since: _Frame, now: _Frame) -> ClassChange:
        change = ClassChange(label, self.label, score, since.utc_s)
        self.label, self.since_utc_s, self._last = label, since.utc_s, now
        if label is not None:
            self._next = None
        return change
