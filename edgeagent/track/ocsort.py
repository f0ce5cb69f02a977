"""OC-SORT: what was observed counts more than what was predicted.

Cao et al. 2023, "Observation-Centric SORT: Rethinking SORT for Robust Multi-Object Tracking",
arXiv:2203.14360. Its three parts, here on camera time:

* momentum: a pair whose direction, from an earlier detection of the track to the new one, agrees with the
  direction in which the track moved so far, is preferred;
* recovery: tracks that are left over are paired by the overlap with their latest detection;
* re-update: the filter of a track that was missing is repeated on a straight line from its latest detection
  to the new one, which removes what the prediction added meanwhile.

As in the paper, weak detections are not used. A last step is that of :mod:`edgeagent.track.bytetrack`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.track import motion
from edgeagent.track.assignment import Positions
from edgeagent.track.bytetrack import LEAST_NEARNESS, LEAST_OVERLAP
from edgeagent.track.candidates import Candidates
from edgeagent.track.lifecycle import LifecycleTracker
from edgeagent.track.pairing import Pairing, part
from edgeagent.track.tracker import TrackerOptions
from edgeagent.vision.detections import FloatArray, IntArray

MOMENTUM = 0.2
"""Weight of the direction; an opposite one costs half of it in overlap, the same one gains half of it."""

LOOK_BACK = 3
"""Detections back to the one from which directions are taken."""

STEPS = 3
"""Steps in which a filter is repeated, for any time; the velocity that results hardly depends on them."""

LEAST_GAIN = 1e-3
"""What a pair gains that overlaps enough and goes the wrong way."""

LEAST_MOVE = 0.05
"""Distance in sizes from which a direction is one."""


class OcSort(LifecycleTracker):
    """OC-SORT on camera time.

    Args:
        options: see :class:`~edgeagent.track.tracker.TrackerOptions`.
    """

    def __init__(self, options: TrackerOptions) -> None:
        super().__init__(options)
        self._centres = np.zeros((0, LOOK_BACK, 2))  # of the latest detections, the latest first
        self._last_states = np.zeros((5, 0, 4))  # after the latest detection
        self._last_s = np.zeros(0)  # time of the latest detection
        self._frames_since = np.zeros(0, np.intp)  # the latest detection

    def _pair(self, candidates: Candidates) -> tuple[Positions, Positions]:
        table = self._table
        self._frames_since += 1
        pairing = Pairing(table, candidates)
        overlap = pairing.overlap(motion.box_corners(table.states[motion.POSITION]).astype(np.float32))
        rows, columns = pairing.left(candidates.confident)
        similarity = part(overlap, rows, columns)
        tracks, detections = (similarity > LEAST_OVERLAP).nonzero()
        agreement = self._agreement(rows[tracks], candidates.values[columns[detections]])
        agreement *= MOMENTUM * candidates.scores[columns[detections]]
        similarity[tracks, detections] = np.maximum(
            similarity[tracks, detections] + agreement, LEAST_OVERLAP + LEAST_GAIN
        )
        pairing.take(rows, columns, similarity, LEAST_OVERLAP)
        rows, columns = pairing.left(candidates.confident)
        if rows.size and columns.size:
            observed = motion.box_corners(table.observed[rows]).astype(np.float32)
            pairing.take(rows, columns, pairing.overlap(observed, rows, columns), LEAST_OVERLAP)
        pairing.take_near(candidates.confident, LEAST_NEARNESS)
        return pairing.found()

    def _agreement(self, rows: Positions, values: motion.Boxes) -> npt.NDArray[np.float64]:
        """Return how the direction from tracks (k) to detections (k, 4) agrees with that of the tracks.

        Returns:
            (k,) from -0.5, which is opposite, to 0.5; 0 where one of them hardly moved.
        """
        centres = self._centres[rows]
        least = LEAST_MOVE**2 * motion.areas(self._table.observed[rows])[:, 0]
        past = centres[:, 0] - centres[:, -1]
        new = values[:, :2] - centres[:, -1]
        past_square, new_square = (past**2).sum(axis=1), (new**2).sum(axis=1)
        moved = (past_square > least) & (new_square > least)
        cosine = (past * new).sum(axis=1) / np.sqrt(np.maximum(past_square * new_square, 1e-12))
        agreement = 0.5 - np.arccos(np.clip(cosine, -1, 1)) / np.pi
        return np.where(moved, agreement, 0.0)

    def _corrected(self, rows: Positions, values: motion.Boxes) -> motion.States:
        """Return the states of tracks after their detections; filters of missing ones are repeated."""
        states = super()._corrected(rows, values)
        missed = (self._frames_since[rows] > 1).nonzero()[0]
        if missed.size:
            states[:, missed] = self._repeated(rows[missed], values[missed])
        self._centres[rows, 1:] = self._centres[rows, :-1]
        self._centres[rows, 0] = values[:, :2]
        self._last_states[:, rows] = states
        self._last_s[rows] = self._now()
        self._frames_since[rows] = 0
        return states

    def _repeated(self, rows: Positions, values: motion.Boxes) -> motion.States:
        """Return the states of filters repeated on lines from the latest detections to the new ones."""
        states = self._last_states[:, rows]
        observed = self._table.observed[rows]
        seconds = (self._now() - self._last_s[rows])[:, None] / STEPS
        for step in range(1, STEPS + 1):
            motion.predict_states(states, seconds)
            states = motion.correct_states(states, observed + (values - observed) * (step / STEPS))
        return states

    def _append(self, values: motion.Boxes, scores: FloatArray, classes: IntArray) -> None:
        super()._append(values, scores, classes)
        count = len(values)
        centres = np.repeat(values[:, None, :2], LOOK_BACK, axis=1)
        self._centres = np.concatenate([self._centres, centres])
        self._last_states = np.concatenate([self._last_states, motion.start_states(values)], axis=1)
        self._last_s = np.concatenate([self._last_s, np.full(count, self._now())])
        self._frames_since = np.concatenate([self._frames_since, np.zeros(count, np.intp)])

    def _drop(self, rows: npt.NDArray[np.bool_]) -> None:
        super()._drop(rows)
        self._centres = self._centres[~rows]
        self._last_states = self._last_states[:, ~rows]
        self._last_s = self._last_s[~rows]
        self._frames_since = self._frames_since[~rows]
