"""Check of decoded scores: a number outside 0..1 shows that a tensor is not what the decoder takes it for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.errors import EngineError

ROUNDING = 0.01
"""Accepted excess of a score over 0..1; the grid of a quantized output may end a step beyond."""


def checked_scores(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return scores (n,) float32, limited to 0..1.

    Raises:
        EngineError: a score is outside 0..1 by more than :data:`ROUNDING`, or not a number.
    """
    if len(scores):
        low, high = float(scores.min()), float(scores.max())
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            worst = high if high > 1 + ROUNDING or low != low else low
            raise EngineError(
                f"the model gives the score {worst:.4g}, a score is 0..1; the outputs are not in the order "
                "or form that the description of the model says"
            )
    limited: npt.NDArray[np.float32] = np.clip(scores, 0, 1)
    return limited
