"""Life of tracks: what every tracker does around the question which detection continues which track.

::

    detection of score new -> unconfirmed -> confirmed (gets an id) <-> missing -> ended
                                  |  missing once                          |  longer than keep_s, or a break
                                  v                                        v
                               dropped (never had an id)               id in Tracks.ended

One object keeps its id when the detector gives it another class for a while: detections of another class may
continue a track (:mod:`edgeagent.track.similarity`), and the label of a track is the class with the greatest
sum of scores. A second box of an object that has a track starts none (:mod:`edgeagent.track.duplicates`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from edgeagent.track import motion
from edgeagent.track.assignment import Positions
from edgeagent.track.camera_clock import CameraClock
from edgeagent.track.candidates import Candidates, usable_candidates
from edgeagent.track.duplicates import are_duplicates
from edgeagent.track.table import UNCONFIRMED, TrackTable
from edgeagent.track.tracker import TrackerOptions
from edgeagent.track.tracks import Tracks
from edgeagent.vision.detections import Detections, FloatArray, IntArray

EXACT_S = 1e-6
"""Rounding of times."""


class LifecycleTracker(ABC):
    """Tracker without the rule that pairs tracks with detections.

    Args:
        options: see :class:`~edgeagent.track.tracker.TrackerOptions`.
    """

    def __init__(self, options: TrackerOptions) -> None:
        self.options = options
        self._clock = CameraClock(options.keep_s)
        self._labels: tuple[str, ...] = ()
        self._last_id = UNCONFIRMED
        self._ended: list[int] = []
        self._table = TrackTable()

    def change(self, options: TrackerOptions) -> None:
        """Take other options; see :class:`~edgeagent.track.tracker.Tracker`."""
        self.options, self._clock.break_s = options, options.keep_s

    def update(self, detections: Detections, time_s: float) -> Tracks:
        """Return the tracks of the next frame; see :class:`~edgeagent.track.tracker.Tracker`."""
        candidates = self._candidates(detections)
        interval = self._clock.advance(time_s)
        if interval is None:
            self.reset()
        else:
            motion.predict_states(self._table.states, interval)
        rows, columns = self._pair(candidates)
        self._continue(rows, columns, candidates)
        rows, columns = self._start(rows, columns, candidates)
        gone = self._miss(rows)
        tracks = self._result(rows, columns, candidates)
        if gone is not None:
            self._drop(gone)
        return tracks

    @property
    def has_new(self) -> bool:
        """Whether a track has no id yet; see :class:`~edgeagent.track.tracker.Tracker`."""
        return bool((self._table.ids == UNCONFIRMED).any())

    @property
    def has_missing(self) -> bool:
        """Whether a track was not seen; see :class:`~edgeagent.track.tracker.Tracker`."""
        return bool(np.isfinite(self._table.missing_s).any())

    def reset(self) -> None:
        """End all tracks; see :class:`~edgeagent.track.tracker.Tracker`."""
        everything = np.ones(len(self._table), bool)
        self._end(everything)
        self._drop(everything)

    @abstractmethod
    def _pair(self, candidates: Candidates) -> tuple[Positions, Positions]:
        """Return rows of the table and positions of the candidates that continue them."""

    def _corrected(self, rows: Positions, values: motion.Boxes) -> motion.States:
        """Return the states of tracks after their detections."""
        return motion.correct_states(self._table.states[:, rows], values)

    def _now(self) -> float:
        return self._clock.now_s

    def _candidates(self, detections: Detections) -> Candidates:
        labels = detections.labels
        if labels is not self._labels and labels != self._labels:
            self._table.rename(self._labels, labels)
            self._labels = labels
        candidates = usable_candidates(detections, self.options)
        self._table.widen(len(labels), candidates.classes)
        return candidates

    def _continue(self, rows: Positions, columns: Positions, candidates: Candidates) -> None:
        if not rows.size:
            return
        table = self._table
        values = candidates.values[columns]
        table.states[:, rows] = self._corrected(rows, values)
        table.observed[rows] = values
        table.hits[rows] += 1
        table.missing_s[rows] = np.inf
        table.vote(rows, candidates.scores[columns], candidates.classes[columns])
        if table.ids[rows].min() == UNCONFIRMED:
            self._confirm(
                rows[(table.ids[rows] == UNCONFIRMED) & (table.hits[rows] >= self.options.min_hits)]
            )

    def _confirm(self, rows: Positions) -> None:
        self._table.ids[rows] = np.arange(self._last_id + 1, self._last_id + 1 + len(rows))
        self._last_id += len(rows)

    def _start(
        self, rows: Positions, columns: Positions, candidates: Candidates
    ) -> tuple[Positions, Positions]:
        """Start tracks; return ``rows`` and ``columns`` with the new ones."""
        if len(columns) == len(candidates.scores):
            return rows, columns
        confident = candidates.confident
        free = confident[candidates.scores[confident] >= self.options.new]
        if free.size and columns.size:
            taken = np.zeros(len(candidates.scores), bool)
            taken[columns] = True
            free = free[~taken[free]]
        if not free.size:
            return rows, columns
        free = free[~self._duplicates(free, columns, candidates)]
        first = len(self._table)
        self._append(candidates.values[free], candidates.scores[free], candidates.classes[free])
        new = np.arange(first, len(self._table))
        if self.options.min_hits == 1:
            self._confirm(new)
        return np.concatenate([rows, new]), np.concatenate([columns, free])

    @staticmethod
    def _duplicates(free: Positions, columns: Positions, candidates: Candidates) -> npt.NDArray[np.bool_]:
        """Return which of ``free`` lie on a box that continues a track, or on a free one of better score."""
        boxes, classes = candidates.boxes[free], candidates.classes[free]
        on_track = are_duplicates(boxes, classes, candidates.boxes[columns], candidates.classes[columns])
        duplicates: npt.NDArray[np.bool_] = np.asarray(on_track.any(axis=1))
        if len(free) > 1:
            rank = np.argsort(np.argsort(-candidates.scores[free], kind="stable"), kind="stable")
            on_better = are_duplicates(boxes, classes, boxes, classes)
            duplicates |= (on_better & (rank[:, None] > rank)).any(axis=1)
        return duplicates

    def _miss(self, rows: Positions) -> npt.NDArray[np.bool_] | None:
        """Take tracks without a detection as missing; return those that end, None if there are none."""
        table = self._table
        if len(rows) == len(table):
            return None
        missing = np.ones(len(table), bool)
        missing[rows] = False
        table.missing_s[missing] = np.minimum(table.missing_s[missing], self._now())
        table.states[motion.VELOCITY, missing, 2:] = 0  # a hidden object is not taken to grow
        late = self._now() - table.missing_s > self.options.keep_s + EXACT_S
        gone: npt.NDArray[np.bool_] = missing & (late | (table.ids == UNCONFIRMED))
        if not gone.any():
            return None
        self._end(gone)
        return gone

    def _end(self, rows: npt.NDArray[np.bool_]) -> None:
        ids = self._table.ids[rows]
        self._ended += ids[ids != UNCONFIRMED].tolist()

    def _drop(self, rows: npt.NDArray[np.bool_]) -> None:
        self._table.keep(~rows)

    def _append(self, values: motion.Boxes, scores: FloatArray, classes: IntArray) -> None:
        self._table.append(values, scores, classes, self._now())

    def _result(self, rows: Positions, columns: Positions, candidates: Candidates) -> Tracks:
        table = self._table
        confirmed = (table.ids[rows] != UNCONFIRMED).nonzero()[0]
        rows, columns = rows[confirmed], columns[confirmed]
        order = rows.argsort(kind="stable")
        rows, columns = rows[order], columns[order]
        ended, self._ended = tuple(self._ended), []
        return Tracks(
            table.ids[rows],
            candidates.boxes[columns],
            candidates.scores[columns],
            table.classes[rows],
            candidates.source[columns],
            table.hits[rows],
            (self._now() - table.started_s[rows]).astype(np.float32),
            self._labels,
            ended,
        )
