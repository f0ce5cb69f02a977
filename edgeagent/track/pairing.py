"""Pairing of the tracks and detections of one frame, step by step: each takes from what is left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.track.assignment import NONE, Positions, pair_up
from edgeagent.track.candidates import Candidates
from edgeagent.track.similarity import OTHER_CLASS, Similarity, nearness, other_class
from edgeagent.track.table import TrackTable
from edgeagent.vision.detections import FloatArray
from edgeagent.vision.nms import intersection_over_union

_SAME = np.float32(1)
_LOSS = np.float32(1 - OTHER_CLASS)


class Pairing:
    """Pairs of one frame.

    Args:
        table: the tracks, predicted for the time of the frame.
        candidates: the detections.
    """

    def __init__(self, table: TrackTable, candidates: Candidates) -> None:
        self._table = table
        self._candidates = candidates
        self._free_rows = np.ones(len(table), bool)
        self._free_columns = np.ones(len(candidates.scores), bool)
        self._found: list[tuple[Positions, Positions]] = []

    def left(
        self, columns: Positions, eligible: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Positions, Positions]:
        """Return the tracks and those of ``columns`` that have no pair yet.

        Args:
            columns: positions of candidates.
            eligible: (n,) which tracks may be returned; None is all.
        """
        rows = self._free_rows if eligible is None else self._free_rows & eligible
        return rows.nonzero()[0], columns[self._free_columns[columns]]

    def take(self, rows: Positions, columns: Positions, similarity: Similarity, least: float) -> None:
        """Pair tracks and candidates for the greatest total similarity.

        Args:
            rows: (n,) from :meth:`left`.
            columns: (m,) likewise.
            similarity: (n, m).
            least: pairs above it are taken.
        """
        chosen, chosen_columns = pair_up(similarity, least)
        if not chosen.size:
            return
        rows, columns = rows[chosen], columns[chosen_columns]
        self._free_rows[rows] = False
        self._free_columns[columns] = False
        self._found.append((rows, columns))

    def overlap(
        self, boxes: FloatArray, rows: Positions | None = None, columns: Positions | None = None
    ) -> Similarity:
        """Return the overlap (n, m) of boxes (n, 4) of tracks with candidates; less where classes differ.

        Args:
            boxes: one for each of ``rows``.
            rows: of the table; None is all.
            columns: positions of candidates; None is all.
        """
        others, classes = self._candidates.boxes, self._candidates.classes
        of_tracks = self._table.classes
        if columns is not None:
            others, classes = others[columns], classes[columns]
        if rows is not None:
            of_tracks = of_tracks[rows]
        overlap = intersection_over_union(boxes, others)
        overlap *= _SAME - other_class(of_tracks, classes) * _LOSS
        return overlap

    def take_near(self, columns: Positions, least: float) -> None:
        """Pair by :func:`~edgeagent.track.similarity.nearness`."""
        rows, columns = self.left(columns)
        if rows.size and columns.size:
            table, candidates = self._table, self._candidates
            near = nearness(
                table.states[:, rows],
                candidates.values[columns],
                table.classes[rows],
                candidates.classes[columns],
            )
            self.take(rows, columns, near, least)

    def found(self) -> tuple[Positions, Positions]:
        """Return rows of the table and positions of candidates of all pairs."""
        if not self._found:
            return NONE, NONE
        if len(self._found) == 1:
            return self._found[0]
        return np.concatenate([rows for rows, _ in self._found]), np.concatenate(
            [columns for _, columns in self._found]
        )


def part(matrix: Similarity, rows: Positions, columns: Positions) -> Similarity:
    """Return the given rows and columns of a matrix (n, m), which are in order."""
    if len(columns) != matrix.shape[1]:
        matrix = matrix[:, columns]
    return matrix if len(rows) == matrix.shape[0] else matrix[rows]
