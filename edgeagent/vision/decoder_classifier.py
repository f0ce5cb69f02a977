"""Decoder of classifiers: softmax over the scores of the classes, in float.

The output is (1, classes), (1, classes, 1, 1) or (1, 1, 1, classes); softmax is computed as
exp(x - max x) / sum exp(x - max x), which does not overflow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import Array, TensorSpec
from edgeagent.errors import EngineError
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections

SUM_TOLERANCE = 0.1
"""Deviation from 1 of the sum of probabilities that 8-bit codes may have, and more."""


class ClassifierDecoder:
    """Decoder of the only output of a classifier.

    Args:
        spec: whether the output holds logits or probabilities.
        tensor: output tensor of the engine.
    """

    def __init__(self, spec: DecoderSpec, tensor: TensorSpec) -> None:
        self._logits, self._tensor = spec.scores == "logits", tensor

    def decode(self, outputs: Sequence[Array], score_threshold: float) -> Detections:
        """Decode one picture; the threshold is that of boxes, and there are none.

        Raises:
            EngineError: the output holds no numbers, or probabilities that cannot be some.
        """
        scores = self._tensor.dequantize(outputs[0]).reshape(-1)
        if not np.isfinite(scores).all():
            raise EngineError("the scores of the classes hold a number that is not finite")
        if self._logits:
            scores = softmax(scores)
        elif scores.min() < -SUM_TOLERANCE or abs(float(scores.sum()) - 1) > SUM_TOLERANCE:
            raise EngineError(
                f"the scores of the classes add up to {float(scores.sum()):.2f}, so they are no "
                "probabilities; the manifest should say `scores: logits`"
            )
        return Detections.of_picture(Classification(scores))


def softmax(logits: npt.NDArray[np.float32], axis: int = -1) -> npt.NDArray[np.float32]:
    """Return the softmax of logits (float32) along an axis."""
    powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
    shares: npt.NDArray[np.float32] = powers / powers.sum(axis=axis, keepdims=True)
    return shares
