"""Masks of single objects: prototypes of the picture, weighted by the coefficients of each object.

YOLACT (Bolya et al. 2019, arXiv:1904.02689, section 3.2): ``mask = sigmoid(prototypes @ coefficients)``, cut
to the box of the object. A pixel is of the object where that is above one half, so that the sigmoid is left
out. The logits are interpolated between the centres of the cells.

A mask is computed when it is asked for: tracks, zones and events need the boxes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.imaging.letterbox import Fit

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]
LEAST_CORNERS = 3
"""Corners of the smallest outline."""
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """Masks that all objects of one picture share.

    Attributes:
        codes: (rows, columns, K), codes or real numbers of the engine; not written again.
        tensor: grid of the codes.
    """

    codes: Array
    tensor: TensorSpec

    def logits(self, coefficients: FloatArray, rows: slice, columns: slice) -> FloatArray:
        """Return the logits (rows, columns) float32 of an object on some of the cells."""
        found: FloatArray = self.tensor.dequantize(self.codes[rows, columns]) @ coefficients
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Mask of one object of a picture.

    Attributes:
        coefficients: (K,) float32, weights of the prototypes.
        prototypes: those of the picture, or of the part of it that was the model's input.
        box: of the object, in pixels; outside of it the mask is empty.
        cell: width and height of a cell in pixels.
        corner: x and y of the upper left corner of the first cell in pixels.
        size: (height, width) of the picture in pixels; of the model input on the way from the decoder.
    """

    coefficients: FloatArray
    prototypes: Prototypes
    box: Box
    cell: tuple[float, float]
    corner: tuple[float, float]
    size: tuple[int, int]

    def placed(self, fit: Fit, box: Box) -> Mask:
        """Return the mask of an input in its picture.

        Args:
            fit: placement of the picture in the input.
            box: of the object in pixels of the picture.
        """
        (top, left), (vertical, horizontal) = fit.offset, fit.scale
        cell = self.cell[0] / horizontal, self.cell[1] / vertical
        corner = (self.corner[0] - left) / horizontal, (self.corner[1] - top) / vertical
        return replace(self, box=box, cell=cell, corner=corner, size=fit.source)

    def moved(self, left: int, top: int, size: tuple[int, int]) -> Mask:
        """Return the mask of a part of a frame in the frame.

        Args:
            left, top: place of the part in pixels.
            size: (height, width) of the frame in pixels.
        """
        x1, y1, x2, y2 = self.box
        box = x1 + left, y1 + top, x2 + left, y2 + top
        return replace(self, box=box, corner=(self.corner[0] + left, self.corner[1] + top), size=size)

    def in_box(self) -> tuple[BoolArray, int, int]:
        """Return the pixels of the object in its box (rows, columns) bool, and left and top of that box."""
        left, right = _pixels(self.box[0], self.box[2], self.size[1])
        top, bottom = _pixels(self.box[1], self.box[3], self.size[0])
        columns = _cells(left, right, self.corner[0], self.cell[0], self.prototypes.codes.shape[1])
        rows = _cells(top, bottom, self.corner[1], self.cell[1], self.prototypes.codes.shape[0])
        logits = self.prototypes.logits(self.coefficients, rows, columns)
        across = (left + 0.5 - self.corner[0]) / self.cell[0] - 0.5 - columns.start
        down = (top + 0.5 - self.corner[1]) / self.cell[1] - 0.5 - rows.start
        to_cells = np.array([[1 / self.cell[0], 0, across], [0, 1 / self.cell[1], down]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (right - left, bottom - top)
        spread = cv2.warpAffine(logits, to_cells, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(spread > 0), left, top

    def in_picture(self) -> BoolArray:
        """Return the pixels of the object in its picture: (height, width) bool."""
        inner, left, top = self.in_box()
        whole = np.zeros(self.size, np.bool_)
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return whole

    def outline(self) -> FloatArray:
        """Return the corners (k, 2) float32 x and y of the largest region, in pixels of the picture.

        They lie a quarter of a pixel inside its edges, so that what counts the pixels whose centres are
        inside, as COCO does, and what fills up to the pixel of each corner both give the pixels of the mask.
        An empty mask gives the corners of its box.
        """
        inner, left, top = self.in_box()
        halves = inner.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
        contours, _ = cv2.findContours(halves, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        largest = max(contours, key=cv2.contourArea, default=np.zeros((0, 1, 2), np.int32))
        if len(largest) < LEAST_CORNERS:
            x1, y1, x2, y2 = self.box
            return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
        corners: FloatArray = ((largest[:, 0] + 0.5) / 2 + np.array([left, top])).astype(np.float32)
        return corners


def _pixels(begin: float, end: float, most: int) -> tuple[int, int]:
    """Return the pixels whose centres lie between two places, at least one, as begin and end in 0..most."""
    first = min(max(round(begin), 0), most - 1)
    return first, min(max(round(end), first + 1), most)


def _cells(begin: int, end: int, corner: float, cell: float, most: int) -> slice:
    """Return the cells between whose centres the pixels ``begin`` to ``end`` are interpolated."""
    first = min(max(int(np.floor((begin - corner) / cell - 0.5)), 0), most - 1)
    return slice(first, min(max(int(np.ceil((end - corner) / cell + 0.5)), first + 1), most))
