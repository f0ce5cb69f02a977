"""Detections whose class number comes from the model: those without a label are dropped and counted."""

from __future__ import annotations

import logging

import numpy as np

from edgeagent.vision.detections import Detections
from edgeagent.vision.heads import FloatArray

logger = logging.getLogger(__name__)


class LabelledClasses:
    """Filter of detections by their class number; the first dropped one is logged.

    Args:
        labels: number of labels.

    Attributes:
        dropped: detections that were dropped, as their class has no label or their box no numbers.
    """

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self.dropped = 0

    def keep(self, boxes: FloatArray, scores: FloatArray, classes: FloatArray) -> Detections:
        """Return the detections that have a label and a finite box.

        Args:
            boxes: (n, 4) float32, x1 y1 x2 y2 in input pixels.
            scores: (n,) float32, 0..1.
            classes: (n,) float32, class numbers.
        """
        usable = (classes >= 0) & (classes < self._labels) & np.isfinite(boxes).all(axis=1)
        if not usable.all():
            self._drop(classes[~usable])
        return Detections(boxes[usable], scores[usable], classes[usable].astype(np.int32))

    def _drop(self, classes: FloatArray) -> None:
        if not self.dropped:
            logger.warning(
                "a detection of class %g is dropped: the model has %d labels (0..%d); give the bundle a "
                "label for each class. Further ones are counted without a message",
                classes[0],
                self._labels,
                self._labels - 1,
            )
        self.dropped += len(classes)
