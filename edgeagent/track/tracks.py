"""Tracks of one frame, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeagent.vision.detections import FloatArray, IntArray

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True, slots=True)
class Tracks:
    """N confirmed tracks that were seen in a frame, and those that ended with it.

    A track that is missing at the moment is in no result until it is seen again or has ended.

    Attributes:
        ids: (N,) int64, from 1 on; an id is never used twice by one tracker.
        boxes: (N, 4) float32, ``x1, y1, x2, y2`` in pixels: the box of the detection.
        scores: (N,) float32 in 0..1: the score of the detection.
        classes: (N,) int32, index into ``labels``: the class with the greatest sum of scores over the life of
            the track, which may differ from that of the detection.
        source: (N,) int32, row of the detection among those of the frame.
        hits: (N,) int32, frames in which the track was seen, this one included.
        ages: (N,) float32, seconds since its first detection.
        labels: names of all classes.
        ended: ids of the tracks that ended with this frame.
    """

    ids: npt.NDArray[np.int64]
    boxes: FloatArray
    scores: FloatArray
    classes: IntArray
    source: IntArray
    hits: IntArray
    ages: FloatArray
    labels: tuple[str, ...] = ()
    ended: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def names(self) -> list[str]:
        """Return the label of each track; the number of its class where there is no name."""
        return [
            self.labels[index] if 0 <= index < len(self.labels) else str(index)
            for index in self.classes.tolist()
        ]

    def to_supervision(self) -> supervision.Detections:
        """Return the tracks as ``supervision.Detections`` with ``tracker_id``.

        Raises:
            ImportError: the package ``supervision`` is not installed.
        """
        import supervision

        return supervision.Detections(
            xyxy=self.boxes.copy(),
            confidence=self.scores.copy(),
            class_id=self.classes.astype(int),
            tracker_id=self.ids.astype(int),
            data={"class_name": np.array(self.names(), dtype=str)},
        )
