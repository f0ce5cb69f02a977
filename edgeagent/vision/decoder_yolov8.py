"""YOLOv8 to YOLO26 and RTMDet decoders: anchor-free cells without objectness.

For a cell with point c and distances (left, top, right, bottom) in cells: x1 = (c_x - left) * stride and so
on; score = sigmoid(class).

* ``yolov8``: c is the centre (column + .5, row + .5). A distance may be given as a distribution over
  ``reg_max`` bins (distribution focal loss, Li et al. 2020, arXiv:2006.04388); its value is the expectation.
* ``rtmdet``: c is the corner (column, row), as ``MlvlPointGenerator`` of RTMDet's configurations has offset
  0. A distance is the raw number, its exponential (``exp_on_reg``) or its positive part: ``RTMDetSepBNHead``
  of MMDetection (Lyu et al. 2022, arXiv:2212.07784) and forks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder_yolox import MAX_EXPONENT, box_unit, coefficients_of, corners
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import FloatArray, HeadScale, find_scales, logit, sigmoid
from edgeagent.vision.nms import Selection
from edgeagent.vision.scores import checked_scores


class YoloV8Decoder:
    """Decoder of raw per-scale heads: box (4 distances, or 4 * reg_max bins) and class logits.

    Args:
        spec: model family and its parameters.
        tensors: output tensors of the engine.
        outputs: roles and strides of the outputs, in the same order.
        input_size: (width, height) of the input in pixels.
        select: selection among the decoded boxes.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        tensors: Sequence[TensorSpec],
        outputs: Sequence[OutputSpec],
        input_size: tuple[int, int],
        select: Selection,
    ) -> None:
        self._scales = find_scales(tensors, outputs, input_size)
        self._bins = np.arange(spec.reg_max, dtype=np.float32)
        self._offset = np.float32(point_offset(spec))
        self._distance = _DISTANCES[spec.distances if spec.family == "rtmdet" else "linear"]
        self._select = select

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        found = [self._decode_scale(scale, outputs, score_threshold) for scale in self._scales]
        return self._select(Detections.join([part for part in found if len(part)]))

    def _decode_scale(self, scale: HeadScale, outputs: Sequence[Array], score_threshold: float) -> Detections:
        box, classes = scale.heads["box"], scale.heads["classes"]
        codes = classes.cells(outputs)
        cells = np.flatnonzero(codes.max(axis=1) >= classes.code(logit(score_threshold)))
        if not len(cells):
            return Detections.empty()
        best = codes[cells].argmax(axis=1)
        scores = sigmoid(classes.real(codes[cells, best]))
        distances = self._distances(box.real(box.cells(outputs)[cells]))
        point = scale.grid[cells] + self._offset
        boxes = np.concatenate([point - distances[:, :2], point + distances[:, 2:]], axis=1)
        kinds, masks = best.astype(np.int32), scale.coefficients(outputs, cells)
        return Detections(boxes * np.float32(scale.stride), scores, kinds, coefficients=masks)

    def _distances(self, raw: FloatArray) -> FloatArray:
        if raw.shape[1] == 4:
            return self._distance(raw)
        bins = raw.reshape(len(raw), 4, -1)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        result: FloatArray = (weights @ self._bins) / weights.sum(axis=2)
        return result


class YoloV8ConcatenatedDecoder:
    """Decoder of one output (1, 4 + classes, cells): centre and size, class scores, mask coefficients if any.

    Args:
        spec: model family and its parameters; centre and size are shares of the input for ``boxes: shares``,
            else input pixels.
        tensor: output tensor of the engine; (1, cells, 4 + classes) is accepted too.
        input_size: (width, height) of the input in pixels.
        classes: number of classes.
        coefficients: number of mask coefficients.
        select: selection among the decoded boxes.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        tensor: TensorSpec,
        input_size: tuple[int, int],
        classes: int,
        select: Selection,
        coefficients: int = 0,
    ) -> None:
        self._tensor, self._select = tensor, select
        self._unit = box_unit(spec, input_size)
        self._end = 4 + classes
        channels = self._end + coefficients
        self._cells_first = tensor.shape[2] == channels and tensor.shape[1] != channels

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        rows = self._tensor.dequantize(outputs[0][0])
        rows = rows if self._cells_first else rows.T
        best = rows[:, 4 : self._end].argmax(axis=1)
        scores = checked_scores(rows[np.arange(len(rows)), 4 + best])
        kept = np.flatnonzero(scores >= score_threshold)
        rows, kinds = rows[kept], best[kept].astype(np.int32)
        boxes = corners(rows[:, :2], rows[:, 2:4]) * self._unit
        masks = coefficients_of(rows, self._end)
        return self._select(Detections(boxes, scores[kept], kinds, coefficients=masks))


def point_offset(spec: DecoderSpec) -> float:
    """Return the place in its cell from which a family counts distances: 0 corner, .5 centre."""
    return 0.0 if spec.family == "rtmdet" else 0.5


def _exponential(raw: FloatArray) -> FloatArray:
    result: FloatArray = np.exp(np.minimum(raw, np.float32(MAX_EXPONENT)))
    return result


def _positive(raw: FloatArray) -> FloatArray:
    result: FloatArray = np.maximum(raw, np.float32(0))
    return result


def _same(raw: FloatArray) -> FloatArray:
    return raw


_DISTANCES: dict[str, Callable[[FloatArray], FloatArray]] = {
    "linear": _same,
    "relu": _positive,
    "exp": _exponential,
}
