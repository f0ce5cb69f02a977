"""SSD decoder for graphs that end in the operator TFLite_Detection_PostProcess.

Its four outputs are boxes (1, n, 4) as top, left, bottom, right in fractions of the input size, classes
(1, n), scores (1, n) and count (1,). The engine says which tensor is which output of the operator; where it
does not, boxes and count are identified by shape, and classes precede scores.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from edgeagent.engines.engine import Array, DetectionRole, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.detections import Detections
from edgeagent.vision.scores import checked_scores

logger = logging.getLogger(__name__)


class SsdDecoder:
    """Decoder of the operator's outputs; non-maximum suppression is part of the graph.

    Args:
        tensors: output tensors of the engine.
        input_size: (width, height) of the input in pixels.
        classes: number of labels; detections of other classes are dropped.

    Attributes:
        dropped: detections that were dropped, as their class has no label or their box no numbers.
    """

    def __init__(self, tensors: Sequence[TensorSpec], input_size: tuple[int, int], classes: int) -> None:
        self._places = _places(tensors)
        self._labels = classes
        width, height = input_size
        self._size = np.array([width, height, width, height], np.float32)
        self.dropped = 0

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        real = {role: outputs[place] for role, place in self._places.items()}
        count = self._count(real["count"], real["scores"].shape[1])
        scores = checked_scores(real["scores"][0, :count].astype(np.float32))
        kept = scores >= score_threshold
        boxes = real["boxes"][0, :count][kept][:, [1, 0, 3, 2]].astype(np.float32) * self._size
        classes = real["classes"][0, :count][kept].astype(np.float32)
        usable = (classes >= 0) & (classes < self._labels) & np.isfinite(boxes).all(axis=1)
        if not usable.all():
            self._drop(classes[~usable])
        return Detections(boxes[usable], scores[kept][usable], classes[usable].astype(np.int32))

    @staticmethod
    def _count(output: Array, most: int) -> int:
        count = float(output.flat[0])
        if not 0 <= count <= most:
            raise EngineError(
                f"the model gives {count:g} detections, it has place for {most}; its outputs are not those "
                "of TFLite_Detection_PostProcess"
            )
        return int(count)

    def _drop(self, classes: Array) -> None:
        if not self.dropped:
            logger.warning(
                "a detection of class %g is dropped: the model has %d labels (0..%d); give the bundle a "
                "label for each class. Further ones are counted without a message",
                classes[0],
                self._labels,
                self._labels - 1,
            )
        self.dropped += len(classes)


def _places(tensors: Sequence[TensorSpec]) -> dict[DetectionRole, int]:
    """Return the position of each output of the operator among the engine's outputs."""
    named = {tensor.role: place for place, tensor in enumerate(tensors) if tensor.role is not None}
    if len(named) == len(tensors):
        return named
    shapes = [tensor.shape for tensor in tensors]
    boxes = next(i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4)
    count = next(i for i, shape in enumerate(shapes) if np.prod(shape) == 1 and len(shape) == 1)
    classes, scores = (i for i in range(len(shapes)) if i not in (boxes, count))
    return {"boxes": boxes, "classes": classes, "scores": scores, "count": count}
