"""Detections of one frame, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Detections:
    """N detections.

    Attributes:
        boxes: (N, 4) float32, ``x1, y1, x2, y2`` in pixels of the frame, or of the model input where stated.
        scores: (N,) float32 in 0..1.
        classes: (N,) int32, index into the labels of the bundle.
    """

    boxes: FloatArray
    scores: FloatArray
    classes: IntArray

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls) -> Detections:
        """Return no detections."""
        return cls(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int32),
        )

    @classmethod
    def join(cls, parts: Sequence[Detections]) -> Detections:
        """Return the detections of all parts, concatenated in order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
        )

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Detections:
        """Return the detections selected by ``index``: positions (n,), a mask (N,) or a slice."""
        return Detections(self.boxes[index], self.scores[index], self.classes[index])
