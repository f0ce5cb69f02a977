"""Table of the tracks of one camera: one row for each, one array for each property."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from edgeagent.errors import DataError
from edgeagent.track import motion
from edgeagent.vision.detections import FloatArray, IntArray

UNCONFIRMED = 0
"""Id of a track that was not seen often enough."""

MOST_CLASSES = 10_000
"""Class numbers of detections without labels are below it."""


@dataclass(slots=True)
class TrackTable:
    """The tracks that live, in the order in which they started.

    Attributes:
        ids: (n,) int64; :data:`UNCONFIRMED` until the track is confirmed.
        states: (5, n, 4) float64, see :mod:`edgeagent.track.motion`.
        observed: (n, 4) float64, centre, width and height of the latest detection.
        hits: (n,) int32, frames in which the track was seen.
        started_s: (n,) float64, camera time of the first detection.
        missing_s: (n,) float64, camera time of the first frame without the track; infinite while it is seen.
        votes: (n, classes) float32, sum of scores of each class.
        classes: (n,) int32, class with most votes.
    """

    ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    states: motion.States = field(default_factory=lambda: np.zeros((5, 0, 4)))
    observed: motion.Boxes = field(default_factory=lambda: np.zeros((0, 4)))
    hits: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))
    started_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    missing_s: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    votes: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    classes: IntArray = field(default_factory=lambda: np.zeros(0, np.int32))

    def __len__(self) -> int:
        return len(self.ids)

    def confirmed_and_seen(self) -> npt.NDArray[np.bool_]:
        """Return (n,) which tracks have an id and were seen in the frame before."""
        eligible: npt.NDArray[np.bool_] = (self.ids != UNCONFIRMED) & np.isinf(self.missing_s)
        return eligible

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Drop all other tracks."""
        for column in fields(self):
            values = getattr(self, column.name)
            setattr(self, column.name, values[:, rows] if values.ndim == 3 else values[rows])

    def append(self, values: motion.Boxes, scores: FloatArray, classes: IntArray, time_s: float) -> None:
        """Start tracks with one detection each.

        Args:
            values: (n, 4) float64, centre, width and height.
            scores: (n,) float32.
            classes: (n,) int32, below the width of ``votes``.
            time_s: of the detections.
        """
        count = len(values)
        votes = np.zeros((count, self.votes.shape[1]), np.float32)
        votes[np.arange(count), classes] = scores
        new = TrackTable(
            np.full(count, UNCONFIRMED, np.int64),
            motion.start_states(values),
            values,
            np.ones(count, np.int32),
            np.full(count, time_s),
            np.full(count, np.inf),
            votes,
            classes,
        )
        for column in fields(self):
            values = getattr(self, column.name)
            joined = np.concatenate([values, getattr(new, column.name)], axis=int(values.ndim == 3))
            setattr(self, column.name, joined)

    def vote(self, rows: npt.NDArray[np.intp], scores: FloatArray, classes: IntArray) -> None:
        """Count the classes of new detections of tracks, with their scores as weights."""
        self.votes[rows, classes] += scores
        self.classes[rows] = self.votes[rows].argmax(axis=1)

    def widen(self, labels: int, classes: IntArray) -> None:
        """Make room for the votes of detections.

        Args:
            labels: number of labels; 0 if they are not known.
            classes: (n,) int32, 0 or more, below ``labels`` where there are labels.

        Raises:
            DataError: a class number without labels is impossibly great.
        """
        needed = labels or int(classes.max(initial=-1)) + 1
        missing = needed - self.votes.shape[1]
        if missing <= 0:
            return
        if needed > MOST_CLASSES:
            raise DataError(f"class {needed - 1} of a detection: expected less than {MOST_CLASSES}")
        self.votes = np.pad(self.votes, ((0, 0), (0, missing)))

    def rename(self, before: tuple[str, ...], labels: tuple[str, ...]) -> None:
        """Move votes to the numbers that the classes have in other labels; those without a name are lost.

        A track that has no votes left takes the class of its next detection; until then its class is -1.
        """
        votes = np.zeros((len(self), len(labels)), np.float32)
        known = {label: index for index, label in enumerate(before[: self.votes.shape[1]])}
        for index, label in enumerate(labels):
            if label in known:
                votes[:, index] = self.votes[:, known[label]]
        self.votes = votes
        if votes.size:
            self.classes = np.where(votes.any(axis=1), votes.argmax(axis=1), -1).astype(np.int32)
        else:
            self.classes = np.full(len(self), -1, np.int32)
