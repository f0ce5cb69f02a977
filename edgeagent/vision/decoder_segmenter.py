"""Decoder of segmenters: the class of highest score in each cell.

The output is (1, classes, rows, columns) or (1, rows, columns, classes). The highest code is the highest
score, so that codes are not dequantized. Two classes may be told apart by one score, of the second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.bundle.cells import cells_along
from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.class_map import ClassMap
from edgeagent.vision.detections import Detections

EVEN = 0.5
"""Probability above which the second of two classes is the likelier one; of logits 0."""


class SegmenterDecoder:
    """Decoder of the only output of a segmenter.

    Args:
        spec: whether the output holds logits or probabilities.
        tensor: output tensor of the engine.
        stride: input pixels per cell.
        input_size: (width, height) of the input in pixels.
        classes: number of classes.
    """

    def __init__(
        self, spec: DecoderSpec, tensor: TensorSpec, stride: int, input_size: tuple[int, int], classes: int
    ) -> None:
        self._tensor, self._size = tensor, (input_size[1], input_size[0])
        channels = classes if classes in (tensor.shape[1], tensor.shape[3]) else 1
        cells = tuple(cells_along(pixels, stride) for pixels in self._size)
        # The whole shape counts: there may be as many rows as classes.
        self._axis = 0 if tensor.shape == (1, channels, *cells) else 2
        self._single = channels == 1
        self._even = 0.0 if spec.scores == "logits" else EVEN

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one picture; the threshold is that of boxes, and there are none.

        Raises:
            EngineError: the output holds a number that is not finite.
        """
        scores = outputs[0][0]
        if self._tensor.scale is None and not np.isfinite(scores).all():
            raise EngineError("the scores of the classes hold a number that is not finite")
        if self._single:
            cells = (self._tensor.dequantize(scores) > self._even).max(axis=self._axis)
        else:
            cells = scores.argmax(axis=self._axis)
        return Detections.of_pixels(ClassMap(cells.astype(np.uint16), self._size))
