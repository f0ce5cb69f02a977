"""Assignment of tracks to detections: pairs with the greatest total similarity.

Most pairs of a frame are obvious, and are taken with a few array operations: a pair is part of a best
assignment if it gains at least as much as the best other pair of its row and the best other pair of its
column together, since an assignment without it uses at most these two instead. What remains is solved by
shortest augmenting paths (Jonker and Volgenant 1987, in the form of Crouse 2016,
doi:10.1109/TAES.2016.140952).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]

ROUNDS = 3  # of taking obvious pairs; each makes others obvious
NONE: Positions = np.zeros(0, np.intp)


def pair_up(similarity: npt.NDArray[np.floating], least: float) -> tuple[Positions, Positions]:
    """Return the pairs whose sum of ``similarity - least`` is greatest; a row or column is in one at most.

    Args:
        similarity: (n, m), finite.
        least: only pairs above it are returned.

    Returns:
        Rows (k,) and columns (k,) of the pairs.
    """
    if not similarity.size:
        return NONE, NONE
    rows, columns = (similarity > least).nonzero()
    lone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    if lone.all():
        return rows, columns
    # of the others only the part of the matrix that has pairs
    others = ~lone
    used_rows, used_columns = _distinct(rows[others]), _distinct(columns[others])
    gains = np.maximum(similarity[used_rows[:, None], used_columns] - np.float64(least), 0.0)
    found = _take_obvious_pairs(gains)
    if gains.any():
        found.append(_assign_rest(gains))
    return np.concatenate([rows[lone], *(used_rows[pairs] for pairs, _ in found)]), np.concatenate(
        [columns[lone], *(used_columns[pairs] for _, pairs in found)]
    )


def _distinct(positions: Positions) -> Positions:
    """Return what occurs in ``positions``, in order."""
    return np.bincount(positions).nonzero()[0]


def _assign_rest(gains: Matrix) -> tuple[Positions, Positions]:
    """Return the pairs of a best assignment that gain something."""
    left_rows, left_columns = gains.any(axis=1).nonzero()[0], gains.any(axis=0).nonzero()[0]
    part = gains[left_rows[:, None], left_columns]
    rows, columns = largest_assignment(part)
    used = part[rows, columns] > 0
    return left_rows[rows[used]], left_columns[columns[used]]


def _take_obvious_pairs(gains: Matrix) -> list[tuple[Positions, Positions]]:
    """Return pairs that are part of a best assignment; their rows and columns of ``gains`` become 0."""
    found: list[tuple[Positions, Positions]] = []
    every, across = np.arange(gains.shape[0]), np.arange(gains.shape[1])
    for _ in range(ROUNDS):
        columns, rows = gains.argmax(axis=1), gains.argmax(axis=0)
        best = gains[every, columns]
        rest = gains.copy()
        rest[every, columns] = 0
        rest_of_rows = rest.max(axis=1)
        np.copyto(rest, gains)
        rest[rows, across] = 0
        rest_of_columns = rest.max(axis=0)
        obvious = (rows[columns] == every) & (best > 0) & (best >= rest_of_rows + rest_of_columns[columns])
        taken = obvious.nonzero()[0]
        if not taken.size:
            break
        found.append((taken, columns[taken]))
        gains[taken] = 0
        gains[:, columns[taken]] = 0
        if len(taken) == len(every) or not gains.any():
            break
    return found


def largest_assignment(gains: Matrix) -> tuple[Positions, Positions]:
    """Return rows and columns (min(n, m),) of the assignment with the greatest total of ``gains`` (n, m)."""
    if gains.shape[0] > gains.shape[1]:
        columns, rows = largest_assignment(gains.T)
        return rows, columns
    assigned = _ShortestPaths(gains.max(initial=0) - gains).solve()
    return np.arange(len(gains)), assigned


class _ShortestPaths:
    """Solver of one assignment of least cost.

    Args:
        cost: (n, m) with n <= m, 0 or more.
    """

    def __init__(self, cost: Matrix) -> None:
        self._cost = cost
        count, width = cost.shape
        self._row_price = cost.min(axis=1, initial=np.inf) if width else np.zeros(count)
        self._column_price = np.zeros(width)
        self._column_of = np.full(count, -1, np.intp)
        self._row_of = np.full(width, -1, np.intp)

    def solve(self) -> Positions:
        """Return (n,) the column of each row."""
        for row, column in enumerate(self._cost.argmin(axis=1).tolist() if self._cost.size else []):
            if self._row_of[column] < 0:
                self._row_of[column], self._column_of[row] = row, column
        for row in np.flatnonzero(self._column_of < 0).tolist():
            self._assign(row)
        return self._column_of

    def _assign(self, start: int) -> None:
        """Assign one more row along the cheapest path through rows that are assigned already."""
        width = self._cost.shape[1]
        distance = np.full(width, np.inf)  # of columns, from the start
        open_distance = distance.copy()  # infinite where a column is final
        before = np.full(width, -1, np.intp)
        final = np.zeros(width, bool)
        rows, length, row = [start], 0.0, start
        while True:
            reached = self._cost[row] - self._column_price + (length - self._row_price[row])
            nearer = (reached < distance) & ~final
            distance[nearer] = reached[nearer]
            open_distance[nearer] = reached[nearer]
            before[nearer] = row
            column = int(open_distance.argmin())
            length = float(distance[column])
            final[column] = True
            open_distance[column] = np.inf
            row = int(self._row_of[column])
            if row < 0:
                break
            rows.append(row)
        self._row_price[start] += length
        others = rows[1:]
        self._row_price[others] += length - distance[self._column_of[others]]
        self._column_price[final] -= length - distance[final]
        while True:
            row = int(before[column])
            self._row_of[column] = row
            self._column_of[row], column = column, int(self._column_of[row])
            if row == start:
                return
