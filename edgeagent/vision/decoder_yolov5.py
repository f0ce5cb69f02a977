"""YOLOv5 and YOLOv7 decoders: several boxes per cell, each relative to an anchor, with objectness.

For a cell at (column, row) of a scale with stride s and an anchor (a_w, a_h) in input pixels, with t the raw
numbers of a box and sigma the sigmoid::

    centre = ((2 sigma(t_x) - .5 + column) * s, (2 sigma(t_y) - .5 + row) * s)
    size   = ((2 sigma(t_w))^2 * a_w, (2 sigma(t_h))^2 * a_h)
    score  = sigma(objectness) * sigma(class)

Source: ``Detect.forward`` in ``models/yolo.py`` of YOLOv5 (https://github.com/ultralytics/yolov5), the same
in YOLOv7 (Wang et al. 2022, arXiv:2207.02696) and Scaled-YOLOv4 (Wang et al. 2020, arXiv:2011.08036).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder_yolox import box_unit, corners
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import FloatArray, HeadScale, find_scales, logit, sigmoid
from edgeagent.vision.nms import Selection
from edgeagent.vision.scores import checked_scores


@dataclass(frozen=True, slots=True)
class AnchorScale:
    """Heads of one stride with the anchors of their cells.

    Attributes:
        scale: heads, stride and cells.
        anchors: (anchors, 2) float32, width and height in input pixels.
    """

    scale: HeadScale
    anchors: FloatArray


class YoloV5Decoder:
    """Decoder of raw per-scale heads: box, objectness and classes, before any activation.

    The channels of a head are ordered by anchor: 4 numbers of the first anchor's box, 4 of the second, and so
    on. Only boxes whose objectness reaches the threshold are decoded; they are selected by their quantized
    codes, before dequantization.

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
        anchors = spec.anchors_by_stride()
        self._scales = [
            AnchorScale(scale, np.array(anchors[scale.stride], np.float32))
            for scale in find_scales(tensors, outputs, input_size)
        ]
        self._select = select

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        found = [self._decode_scale(one, outputs, score_threshold) for one in self._scales]
        return self._select(Detections.join([part for part in found if len(part)]))

    @staticmethod
    def _decode_scale(one: AnchorScale, outputs: Sequence[Array], score_threshold: float) -> Detections:
        heads, count = one.scale.heads, len(one.anchors)
        box, objectness, classes = (heads[role] for role in ("box", "objectness", "classes"))
        codes = objectness.cells(outputs)
        cells, anchors = np.nonzero(codes >= objectness.code(logit(score_threshold)))
        if not len(cells):
            return Detections.empty()
        logits = classes.real(_by_anchor(classes.cells(outputs), count)[cells, anchors])
        best = logits.argmax(axis=1)
        scores = sigmoid(objectness.real(codes[cells, anchors]))
        scores *= sigmoid(logits[np.arange(len(cells)), best])
        kept = scores >= score_threshold
        cells, anchors = cells[kept], anchors[kept]
        raw = box.real(_by_anchor(box.cells(outputs), count)[cells, anchors])
        boxes = anchor_boxes(raw, one.scale.grid[cells], np.float32(one.scale.stride), one.anchors[anchors])
        return Detections(boxes, scores[kept], best[kept].astype(np.int32))


class YoloV5ConcatenatedDecoder:
    """Decoder of one output (1, boxes, 5 + classes): centre and size, objectness and class scores.

    Args:
        spec: model family and its parameters; centre and size are shares of the input for ``boxes: shares``
            (the TFLite export), else input pixels.
        tensor: output tensor of the engine; (1, 5 + classes, boxes) is accepted too.
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
        self._unit = box_unit(spec, input_size)
        self._boxes_first = tensor.shape[2] == 5 + classes

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        codes = outputs[0][0] if self._boxes_first else outputs[0][0].T
        objectness = checked_scores(self._tensor.dequantize(codes[:, 4]))
        places = np.flatnonzero(objectness >= score_threshold)
        rows = self._tensor.dequantize(codes[places])
        best = rows[:, 5:].argmax(axis=1)
        scores = objectness[places] * checked_scores(rows[np.arange(len(rows)), 5 + best])
        kept = scores >= score_threshold
        boxes = corners(rows[kept, :2], rows[kept, 2:4]) * self._unit
        return self._select(Detections(boxes, scores[kept], best[kept].astype(np.int32)))


def anchor_boxes(raw: FloatArray, grid: FloatArray, stride: np.float32, anchors: FloatArray) -> FloatArray:
    """Return boxes (n, 4) x1 y1 x2 y2 in input pixels of raw predictions.

    Args:
        raw: (n, 4), centre and size before their sigmoid.
        grid: (n, 2), column and row of the cells.
        stride: input pixels per cell.
        anchors: (n, 2), width and height in input pixels.
    """
    doubled = np.float32(2) * sigmoid(raw)
    centre = (doubled[:, :2] - np.float32(0.5) + grid) * stride
    return corners(centre, np.square(doubled[:, 2:]) * anchors)


def _by_anchor(cells: Array, anchors: int) -> Array:
    """Return a view (cells, anchors, channels per anchor) of a head's codes (cells, channels)."""
    return cells.reshape(len(cells), anchors, -1)
