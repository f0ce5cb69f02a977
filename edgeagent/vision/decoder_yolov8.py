"""YOLOv8 and YOLO11 decoders: anchor-free cells without objectness.

For a cell with centre c = (column + .5, row + .5) and distances (left, top, right, bottom) in cells:
x1 = (c_x - left) * stride and so on; score = sigmoid(class). A distance may be given as a distribution over
``reg_max`` bins (distribution focal loss, Li et al. 2020, arXiv:2006.04388); its value is the expectation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder_yolox import corners
from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import FloatArray, HeadScale, find_scales, logit, sigmoid
from edgeagent.vision.nms import suppress
from edgeagent.vision.scores import checked_scores


class YoloV8Decoder:
    """Decoder of raw per-scale heads: box (4 distances, or 4 * reg_max bins) and class logits.

    Args:
        spec: model family and its parameters.
        tensors: output tensors of the engine.
        outputs: roles and strides of the outputs, in the same order.
        input_size: (width, height) of the input in pixels.
        iou_threshold: threshold of non-maximum suppression, 0..1.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        tensors: Sequence[TensorSpec],
        outputs: Sequence[OutputSpec],
        input_size: tuple[int, int],
        iou_threshold: float,
    ) -> None:
        self._scales = find_scales(tensors, outputs, input_size)
        self._bins = np.arange(spec.reg_max, dtype=np.float32)
        self._iou_threshold = iou_threshold

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        found = [self._decode_scale(scale, outputs, score_threshold) for scale in self._scales]
        return suppress(Detections.join([part for part in found if len(part)]), self._iou_threshold)

    def _decode_scale(self, scale: HeadScale, outputs: Sequence[Array], score_threshold: float) -> Detections:
        box, classes = scale.heads["box"], scale.heads["classes"]
        codes = classes.cells(outputs)
        cells = np.flatnonzero(codes.max(axis=1) >= classes.code(logit(score_threshold)))
        if not len(cells):
            return Detections.empty()
        best = codes[cells].argmax(axis=1)
        scores = sigmoid(classes.real(codes[cells, best]))
        distances = self._distances(box.real(box.cells(outputs)[cells]))
        centre = scale.grid[cells] + np.float32(0.5)
        boxes = np.concatenate([centre - distances[:, :2], centre + distances[:, 2:]], axis=1)
        return Detections(boxes * np.float32(scale.stride), scores, best.astype(np.int32))

    def _distances(self, raw: FloatArray) -> FloatArray:
        if raw.shape[1] == 4:
            return raw
        bins = raw.reshape(len(raw), 4, -1)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        result: FloatArray = (weights @ self._bins) / weights.sum(axis=2)
        return result


class YoloV8ConcatenatedDecoder:
    """Decoder of one output (1, 4 + classes, cells): centre and size in input pixels, class scores.

    Args:
        tensor: output tensor of the engine; (1, cells, 4 + classes) is accepted too.
        classes: number of classes.
        iou_threshold: threshold of non-maximum suppression, 0..1.
    """

    def __init__(self, tensor: TensorSpec, classes: int, iou_threshold: float) -> None:
        self._tensor, self._iou_threshold = tensor, iou_threshold
        self._cells_first = tensor.shape[2] == 4 + classes and tensor.shape[1] != 4 + classes

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        rows = self._tensor.dequantize(outputs[0][0])
        rows = rows if self._cells_first else rows.T
        best = rows[:, 4:].argmax(axis=1)
        scores = checked_scores(rows[np.arange(len(rows)), 4 + best])
        kept = scores >= score_threshold
        boxes = corners(rows[kept, :2], rows[kept, 2:4])
        return suppress(Detections(boxes, scores[kept], best[kept].astype(np.int32)), self._iou_threshold)
