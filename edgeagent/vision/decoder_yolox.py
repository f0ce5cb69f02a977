"""YOLOX decoders: anchor-free cells with objectness (Ge et al. 2021, arXiv:2107.08430).

For a cell at (column, row) of a scale with stride s: centre = ((x + column) * s, (y + row) * s),
size = (exp(w) * s, exp(h) * s), score = sigmoid(objectness) * sigmoid(class).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import (
    FloatArray,
    HeadScale,
    cell_grid,
    find_scales,
    logit,
    sigmoid,
)
from edgeagent.vision.nms import Selection
from edgeagent.vision.scores import checked_scores

MAX_EXPONENT = 8.0
"""Limit of the exponent of a box size: 2981 strides, larger than any input and finite."""


class YoloxDecoder:
    """Decoder of raw per-scale heads: box, objectness and classes, before any activation.

    A score is at most its objectness, so only cells whose objectness reaches the threshold are decoded; they
    are selected by their quantized codes, before dequantization.

    Args:
        tensors: output tensors of the engine.
        outputs: roles and strides of the outputs, in the same order.
        input_size: (width, height) of the input in pixels.
        select: selection among the decoded boxes.
    """

    def __init__(
        self,
        tensors: Sequence[TensorSpec],
        outputs: Sequence[OutputSpec],
        input_size: tuple[int, int],
        select: Selection,
    ) -> None:
        self._scales = find_scales(tensors, outputs, input_size)
        self._select = select

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        found = [self._decode_scale(scale, outputs, score_threshold) for scale in self._scales]
        return self._select(Detections.join([part for part in found if len(part)]))

    @staticmethod
    def _decode_scale(scale: HeadScale, outputs: Sequence[Array], score_threshold: float) -> Detections:
        box, objectness, classes = (scale.heads[role] for role in ("box", "objectness", "classes"))
        codes = objectness.cells(outputs)[:, 0]
        cells = np.flatnonzero(codes >= objectness.code(logit(score_threshold)))
        if not len(cells):
            return Detections.empty()
        logits = classes.real(classes.cells(outputs)[cells])
        best = logits.argmax(axis=1)
        scores = sigmoid(objectness.real(codes[cells])) * sigmoid(logits[np.arange(len(cells)), best])
        kept = scores >= score_threshold
        cells = cells[kept]
        boxes = raw_boxes(box.real(box.cells(outputs)[cells]), scale.grid[cells], np.float32(scale.stride))
        kinds, masks = best[kept].astype(np.int32), scale.coefficients(outputs, cells)
        return Detections(boxes, scores[kept], kinds, coefficients=masks)


class YoloxConcatenatedDecoder:
    """Decoder of one output (1, cells, 5 + classes) that concatenates the scales.

    Objectness and classes are scores (after their sigmoid); boxes are raw, or decoded to centre and size in
    input pixels or as shares of the input. What follows the classes are mask coefficients.

    Args:
        spec: model family and its parameters.
        tensor: output tensor of the engine; (1, 5 + classes, cells) is accepted too.
        input_size: (width, height) of the input in pixels.
        classes: number of classes.
        select: selection among the decoded boxes.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        tensor: TensorSpec,
        input_size: tuple[int, int],
        classes: int,
        select: Selection,
    ) -> None:
        self._tensor, self._select = tensor, select
        self._end = 5 + classes
        self._raw = spec.boxes == "raw"
        self._unit = box_unit(spec, input_size)
        width, height = input_size
        grids = [
            cell_grid(cells_along(height, stride), cells_along(width, stride)) for stride in spec.strides
        ]
        self._grid = np.concatenate(grids)
        counts = [len(grid) for grid in grids]
        self._strides = np.repeat(np.array(spec.strides, np.float32), counts)[:, None]
        self._cells_first = tensor.shape[1] == len(self._grid)

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        rows = self._tensor.dequantize(outputs[0][0])
        rows = rows if self._cells_first else rows.T
        cells = np.flatnonzero(checked_scores(rows[:, 4]) >= score_threshold)
        rows = rows[cells]
        best = rows[:, 5 : self._end].argmax(axis=1)
        scores = rows[:, 4] * checked_scores(rows[np.arange(len(rows)), 5 + best])
        kept = scores >= score_threshold
        rows, cells = rows[kept], cells[kept]
        if self._raw:
            boxes = raw_boxes(rows[:, :4], self._grid[cells], self._strides[cells])
        else:
            boxes = corners(rows[:, :2], rows[:, 2:4]) * self._unit
        kinds, masks = best[kept].astype(np.int32), coefficients_of(rows, self._end)
        return self._select(Detections(boxes, scores[kept], kinds, coefficients=masks))


def raw_boxes(raw: FloatArray, grid: FloatArray, stride: FloatArray | np.float32) -> FloatArray:
    """Return boxes (n, 4) x1 y1 x2 y2 in input pixels of raw predictions.

    Args:
        raw: (n, 4), offsets of the centre and logarithms of the size, in cells.
        grid: (n, 2), column and row of the cells.
        stride: (n, 1) or one number, input pixels per cell.
    """
    size = np.exp(np.minimum(raw[:, 2:], MAX_EXPONENT))
    return corners((raw[:, :2] + grid) * stride, size * stride)


def corners(centre: FloatArray, size: FloatArray) -> FloatArray:
    """Return boxes (n, 4) x1 y1 x2 y2 of centres (n, 2) and sizes (n, 2), float32."""
    half = size * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1)


def coefficients_of(rows: FloatArray, end: int) -> FloatArray | None:
    """Return the mask coefficients (n, K) of rows (n, end + K), None where K is 0."""
    return rows[:, end:] if rows.shape[1] > end else None


def box_unit(spec: DecoderSpec, input_size: tuple[int, int]) -> FloatArray:
    """Return the input pixels (4,) float32 of one unit of decoded boxes x1 y1 x2 y2."""
    width, height = input_size if spec.boxes == "shares" else (1, 1)
    return np.array([width, height, width, height], np.float32)
