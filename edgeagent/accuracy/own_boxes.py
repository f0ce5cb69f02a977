"""Boxes that the output of a float graph says by itself, in every form that exporters use.

A graph with one box per cell, or one per cell and anchor, gives one tensor (1, cells, 4 + classes), one
(1, cells, 5 + classes) with objectness, or a tensor of boxes (1, cells, 4) beside one of scores
(1, cells, classes); each also with the last two dimensions exchanged. Boxes are corners, or centre and size,
in input pixels or as shares of the input; distances of the sides from the point of the cell in input pixels
(RTMDet before its decoding); or raw predictions of YOLOX. An end-to-end graph gives final detections
(1, n, 6): corners, score, class. A graph for instances has mask coefficients behind the classes, and
prototypes in an output of their own; both are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.engines.engine import Array
from edgeagent.engines.mask_check import prototype_form
from edgeagent.vision.decoder_yolov8 import point_offset
from edgeagent.vision.decoder_yolox import corners, raw_boxes
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import FloatArray, cell_grid, sigmoid

CORNERS, CENTRES = "corners in pixels", "centre and size in pixels"
CORNER_SHARES, CENTRE_SHARES = "corners as shares of 0..1", "centre and size as shares of 0..1"
DISTANCES, RAW = "distances from the cell in pixels", "raw predictions of YOLOX"


@dataclass(frozen=True)
class OwnOutput:
    """Output of a graph for one picture, a row per cell.

    Attributes:
        values: (cells, 4) float32, boxes in a form that is not known.
        scores: (cells,) float32, score of the best class, 0..1.
        classes: (cells,) int32, best class.
        final: whether the rows are final detections instead of cells.
    """

    values: FloatArray
    scores: FloatArray
    classes: Array
    final: bool = False


class CellBoxes:
    """Boxes of the cells of a model, in all forms.

    Args:
        description: of the model.
    """

    def __init__(self, description: ModelDescription) -> None:
        width, height = description.input.width, description.input.height
        self._labels = len(description.labels)
        self._size = np.array([width, height, width, height], np.float32)
        strides = description.decoder.strides
        anchors = description.decoder.anchors_by_stride()
        grids = [
            np.tile(
                cell_grid(cells_along(height, stride), cells_along(width, stride)),
                (len(anchors.get(stride, ())) or 1, 1),
            )
            for stride in strides
        ]
        self._point = np.float32(point_offset(description.decoder))
        self._grid = np.concatenate(grids)
        counts = [len(grid) for grid in grids]
        self._stride = np.repeat(np.array(strides, np.float32), counts)[:, None]
        self._raw = description.decoder.family == "yolox"
        self._masks = description.task == "instances"

    def read(self, outputs: Sequence[Array]) -> OwnOutput | None:
        """Return the outputs as rows of cells; None if they have none of the known shapes."""
        outputs = self._without_masks(outputs) if self._masks else outputs
        if len(outputs) == 1 and _is_final(outputs[0], len(self._grid)):
            final = np.asarray(outputs[0][0], np.float32)
            return OwnOutput(final[:, :4], final[:, 4], final[:, 5].astype(np.int32), final=True)
        rows = [found for output in outputs if (found := self._rows(output)) is not None]
        if len(rows) != len(outputs):
            return None
        if len(rows) == 1 and rows[0].shape[1] - self._labels in (4, 5):
            values, scores = rows[0][:, :4], as_scores(rows[0][:, -self._labels :])
            if rows[0].shape[1] - self._labels == 5:
                scores = scores * as_scores(rows[0][:, 4:5])
            return _own(values, scores)
        boxes = [one for one in rows if one.shape[1] == 4]
        others = [one for one in rows if one.shape[1] == self._labels]
        if len(boxes) == len(others) == 1 and len(rows) == 2 and self._labels != 4:
            return _own(boxes[0], as_scores(others[0]))
        return None

    def forms(self, own: OwnOutput, cells: Array) -> Iterator[tuple[str, Detections]]:
        """Return the detections (input pixels) of some cells, once for each form of the boxes."""
        if own.final:
            for form, unit in ((CORNERS, np.ones(4, np.float32)), (CORNER_SHARES, self._size)):
                yield form, Detections(own.values[cells] * unit, own.scores[cells], own.classes[cells])
            return
        values, grid, stride = own.values[cells], self._grid[cells], self._stride[cells]
        point = (grid + self._point) * stride
        boxes = {
            CORNERS: values,
            CENTRES: corners(values[:, :2], values[:, 2:]),
            CORNER_SHARES: values * self._size,
            CENTRE_SHARES: corners(values[:, :2], values[:, 2:]) * self._size,
            DISTANCES: np.concatenate([point - values[:, :2], point + values[:, 2:]], axis=1),
        }
        if self._raw:
            boxes[RAW] = raw_boxes(values, grid, stride)
        for form, found in boxes.items():
            yield form, Detections(found, own.scores[cells], own.classes[cells])

    def sound(self, own: OwnOutput, found: Detections, cells: Array) -> int:
        """Return how many boxes contain the centre of their cell, to one stride, and lie in the input.

        Final detections have no cell; they must have a size of a pixel and lie in the input.
        """
        boxes = found.boxes
        sized = boxes[:, 2:] - boxes[:, :2] >= 1
        edge = np.float32(0.1) * self._size[:2]
        inside = (boxes[:, :2] >= -edge) & (boxes[:, 2:] <= self._size[:2] + edge)
        right = sized & inside
        if not own.final:
            margin = self._stride[cells]
            centre = (self._grid[cells] + np.float32(0.5)) * margin
            right &= (boxes[:, :2] - margin <= centre) & (centre <= boxes[:, 2:] + margin)
        return int(right.all(axis=1).sum())

    def _without_masks(self, outputs: Sequence[Array]) -> Sequence[Array]:
        """Return the outputs without prototypes and coefficients, where the others are one output."""
        size = int(self._size[0]), int(self._size[1])
        forms = [form for output in outputs if (form := prototype_form(output.shape, size)) is not None]
        joined = [output for output in outputs if output.ndim == 3]
        if len(outputs) != 2 or len(forms) != 1 or len(joined) != 1:
            return outputs
        axis = 2 if joined[0].shape[1] == len(self._grid) else 1
        kept = np.arange(joined[0].shape[axis] - forms[0].channels)
        return [np.take(joined[0], kept, axis)]

    def _rows(self, output: Array) -> FloatArray | None:
        if output.ndim != 3 or output.shape[0] != 1 or output.dtype.kind != "f":
            return None
        cells = len(self._grid)
        if output.shape[1] != cells and output.shape[2] != cells:
            return None
        rows = output[0] if output.shape[1] == cells else output[0].T
        return np.asarray(rows, np.float32)


def as_scores(values: FloatArray) -> FloatArray:
    """Return scores 0..1; numbers outside that range are taken for logits."""
    inside = len(values) == 0 or (values.min() >= 0 and values.max() <= 1)
    return values if inside else sigmoid(values)


def _is_final(output: Array, cells: int) -> bool:
    """Return whether an output (1, n, 6) has the form of final detections: scores and whole classes."""
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != 6 or output.shape[1] == cells:
        return False
    scores, classes = output[0, :, 4], output[0, :, 5]
    return bool(((scores >= 0) & (scores <= 1) & (classes >= 0) & (classes == np.floor(classes))).all())


def _own(values: FloatArray, scores: FloatArray) -> OwnOutput:
    best = scores.argmax(axis=1)
    return OwnOutput(values, scores[np.arange(len(scores)), best], best.astype(np.int32))
