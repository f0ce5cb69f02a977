"""SSD decoder for graphs that end in the operator TFLite_Detection_PostProcess.

Its four outputs are boxes (1, n, 4) as top, left, bottom, right in fractions of the input size, classes
(1, n), scores (1, n) and count (1,). Converters keep this order; in graphs with another order, boxes and
count are identified by shape, and classes precede scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.vision.detections import Detections
from edgeagent.vision.discard import keep_finite


class SsdDecoder:
    """Decoder of the operator's outputs; non-maximum suppression is part of the graph.

    Args:
        tensors: output tensors of the engine.
        input_size: (width, height) of the input in pixels.
    """

    def __init__(self, tensors: Sequence[TensorSpec], input_size: tuple[int, int]) -> None:
        shapes = [tensor.shape for tensor in tensors]
        self._boxes = next(i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4)
        self._count = next(i for i, shape in enumerate(shapes) if np.prod(shape) == 1 and len(shape) == 1)
        self._classes, self._scores = (i for i in range(4) if i not in (self._boxes, self._count))
        width, height = input_size
        self._size = np.array([width, height, width, height], np.float32)

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        count = int(outputs[self._count].flat[0])
        scores = outputs[self._scores][0, :count].astype(np.float32)
        kept = scores >= score_threshold
        boxes = outputs[self._boxes][0, :count][kept][:, [1, 0, 3, 2]].astype(np.float32) * self._size
        classes = outputs[self._classes][0, :count][kept].astype(np.int32)
        return keep_finite(Detections(boxes, scores[kept], classes))
