"""Class of each pixel of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.errors import DataError
from edgeagent.imaging.letterbox import Fit
from edgeagent.imaging.polygon import Point
from edgeagent.vision.centre_line import CentreLine, fit_centre_line

BACKGROUND = "background"
"""Label of what is none of the other classes."""
UNLABELLED = 65535
"""Class index of a pixel whose class nobody has labelled."""
ClassIndices = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Result of a segmenter for one picture.

    Attributes:
        cells: (rows, columns) uint16, class index of each cell.
        size: (height, width) in pixels of what the cells cover: of the model input on the way from the
            decoder, then of the picture.
        labels: names of the classes; empty on the way from the decoder to the result.
    """

    cells: ClassIndices
    size: tuple[int, int]
    labels: tuple[str, ...] = ()

    def placed(self, fit: Fit) -> ClassMap:
        """Return the cells of an input that lie in the picture; those in the padding are dropped."""
        rows, columns = self.cells.shape
        height, width = self.size
        (top, left), (tall, wide) = fit.offset, fit.size
        first = round(top * rows / height), round(left * columns / width)
        last = round((top + tall) * rows / height), round((left + wide) * columns / width)
        kept = self.cells[first[0] : max(last[0], first[0] + 1), first[1] : max(last[1], first[1] + 1)]
        return ClassMap(kept, fit.source, self.labels)

    def in_picture(self) -> ClassIndices:
        """Return the class of each pixel: (height, width) uint16, by the nearest cell."""
        height, width = self.size
        resized = cv2.resize(self.cells, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return resized.astype(np.uint16, copy=False)

    def shares(self, polygon: Sequence[Point] | None = None) -> dict[str, float]:
        """Return the share of each class in a picture or an area of it; classes without a cell are left out.

        Args:
            polygon: corners of the area in shares of the picture; None takes the whole picture.
        """
        cells = self.cells if polygon is None else self.cells[_inside(self.cells.shape, polygon)]
        if not cells.size:
            return {}
        counts = np.bincount(cells.ravel(), minlength=len(self.labels))
        return {self._name(int(index)): float(counts[index] / cells.size) for index in np.flatnonzero(counts)}

    def centre_line(self, label: str, row: float, band: float = 0.1) -> CentreLine | None:
        """Return where a class lies and leads to in a row, such as the lane ahead; None where it is not seen.

        Args:
            label: name of the class.
            row: distance from the upper edge, in shares of the height.
            band: height of the rows around it that are looked at, in shares of the height.

        Raises:
            DataError: the model has no such class.
        """
        if label not in self.labels:
            raise DataError(f"class {label!r}: the model has {', '.join(self.labels)}")
        return fit_centre_line(self.cells == self.labels.index(label), self.size, row, band)

    def _name(self, index: int) -> str:
        return self.labels[index] if index < len(self.labels) else str(index)


def _inside(shape: tuple[int, ...], polygon: Sequence[Point]) -> npt.NDArray[np.bool_]:
    rows, columns = shape
    mask = np.zeros((rows, columns), np.uint8)
    corners = np.array([[x * columns - 0.5, y * rows - 0.5] for x, y in polygon])
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    return mask.astype(bool)
