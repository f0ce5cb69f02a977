"""SSD decoder for graphs that end in the operator TFLite_Detection_PostProcess.

Its four outputs are boxes (1, n, 4) as top, left, bottom, right in fractions of the input size, classes
(1, n), scores (1, n) and count (1,). The engine says which tensor is which output of the operator; where it
does not, boxes and count are identified by shape, and classes precede scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeagent.engines.engine import Array, DetectionRole, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.detections import Detections
from edgeagent.vision.labelled import LabelledClasses
from edgeagent.vision.scores import checked_scores


class SsdDecoder:
    """Decoder of the operator's outputs; non-maximum suppression is part of the graph.

    Args:
        tensors: output tensors of the engine.
        input_size: (width, height) of the input in pixels.
        classes: number of labels; detections of other classes are dropped.
    """

    def __init__(self, tensors: Sequence[TensorSpec], input_size: tuple[int, int], classes: int) -> None:
        self._places = _places(tensors)
        width, height = input_size
        self._size = np.array([width, height, width, height], np.float32)
        self._labelled = LabelledClasses(classes)

    @property
    def dropped(self) -> int:
        """Detections that were dropped, as their class has no label or their box no numbers."""
        return self._labelled.dropped

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one frame; see :meth:`edgeagent.vision.decoder.Decoder.decode`."""
        real = {role: outputs[place] for role, place in self._places.items()}
        count = self._count(real["count"], real["scores"].shape[1])
        scores = checked_scores(real["scores"][0, :count].astype(np.float32))
        kept = scores >= score_threshold
        boxes = real["boxes"][0, :count][kept][:, [1, 0, 3, 2]].astype(np.float32) * self._size
        classes = real["classes"][0, :count][kept].astype(np.float32)
        return self._labelled.keep(boxes, scores[kept], classes)

    @staticmethod
    def _count(output: Array, most: int) -> int:
        count = float(output.flat[0])
        if not 0 <= count <= most:
            raise EngineError(
                f"the model gives {count:g} detections, it has place for {most}; its outputs are not those "
                "of TFLite_Detection_PostProcess"
            )
        return int(count)


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
