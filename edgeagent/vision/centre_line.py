"""Centre line of a class: where a lane, a row of plants or a strip on the floor lies and where it leads.

In each row of cells the centre is the middle between the columns that a tenth of the cells of the class lie
left of, and right of: neither a hole between them (an object that stands there) nor a few cells elsewhere
move it far. A straight line through the centres of a band of rows, weighted by their cells (least squares),
gives position and direction at the row in the middle of the band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST_SHARE = 0.02
"""Share of the cells of a row that are of the class at least, where the row counts."""
LEAST_ROWS = 0.5
"""Share of the rows of the band that count at least, where there is a line."""
ROUNDING = 1e-9
"""Room for rounding, in shares of the height: a row on the edge of two rows of cells lies in both."""


@dataclass(frozen=True, slots=True)
class CentreLine:
    """Centre line of a class in one row of a picture.

    Attributes:
        offset: from the middle of the picture, in shares of its width: -0.5 is the left edge, 0.5 the right.
        heading: degrees in the picture from straight up, positive to the right. It is no angle on the ground.
    """

    offset: float
    heading: float


def row_centres(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the centre of the class in each row, (rows,) in shares of the width; NaN without one.

    Args:
        cells: (rows, columns), whether the cell is of the class.
    """
    counts = cells.sum(axis=1)
    tenths = 10 * np.cumsum(cells, axis=1)
    left = (tenths >= counts[:, None]).argmax(axis=1)
    right = (tenths > 9 * counts[:, None]).argmax(axis=1)
    centres = ((left + right) / 2 + 0.5) / cells.shape[1]
    return np.where(counts >= max(1, LEAST_SHARE * cells.shape[1]), centres, np.nan)


def fit_centre_line(
    cells: npt.NDArray[np.bool_], size: tuple[int, int], row: float, band: float
) -> CentreLine | None:
    """Return the centre line of a class at a row; None where too few rows of the band show the class.

    Args:
        cells: (rows, columns), whether the cell is of the class.
        size: (height, width) in pixels of what the cells cover.
        row: distance from the upper edge, in shares of the height.
        band: height of the band around the row, in shares of the height.
    """
    if not cells.size:
        return None
    middles = (np.arange(len(cells)) + 0.5) / len(cells)
    inside = np.abs(middles - row) <= max(band, 1 / len(cells)) / 2 + ROUNDING
    centres, weights = row_centres(cells[inside]), cells[inside].sum(axis=1)
    known = ~np.isnan(centres)
    if not known.any() or known.mean() < LEAST_ROWS:
        return None
    down, across, weight = (middles[inside] - row)[known], centres[known], weights[known]
    mean_down, mean_across = np.average(down, weights=weight), np.average(across, weights=weight)
    spread = np.average((down - mean_down) ** 2, weights=weight)
    moved = np.average((down - mean_down) * (across - mean_across), weights=weight)
    slope = float(moved / spread) if spread else 0.0
    height, width = size
    offset = float(mean_across - slope * mean_down) - 0.5
    return CentreLine(offset, math.degrees(math.atan2(0.0 - slope * width, height)))
