"""Decoder of final detections in one output (1, detections, 6), without non-maximum suppression.

A row is x1, y1, x2, y2, score, class; the box is in input pixels, or in shares of the input. Source:
``Detect.postprocess`` in ``ultralytics/nn/modules/head.py`` (https://github.com/ultralytics/ultralytics) for
YOLOv10 and YOLO26. Rows beyond the objects of a picture have low scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.decoder_yolox import box_unit
from edgeagent.vision.detections import Detections
from edgeagent.vision.labelled import LabelledClasses
from edgeagent.vision.nms import keep_best
from edgeagent.vision.scores import checked_scores


class EndToEndDecoder:
    """Decoder of final detections.

    Args:
        spec: model family and its parameters.
        tensor: output tensor of the engine.
        input_size: (width, height) of the input in pixels.
        classes: number of labels; detections of other classes are dropped.
    """

    def __init__(
        self, spec: DecoderSpec, tensor: TensorSpec, input_size: tuple[int, int], classes: int
    ) -> None:
        self._tensor = tensor
        self._unit = box_unit(spec, input_size)
        self._labelled = LabelledClasses(classes)

    @property
    def dropped(self) -> int:
        """Detections that were dropped, as their class has no label or their box no numbers."""
        return self._labelled.dropped

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        rows = self._tensor.dequantize(outputs[0][0])
        scores = checked_scores(rows[:, 4])
        kept = np.flatnonzero(scores >= score_threshold)
        return keep_best(self._labelled.keep(rows[kept, :4] * self._unit, scores[kept], rows[kept, 5]))
