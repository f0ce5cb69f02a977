"""Candidates: the detections of a frame that a tracker may use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeagent.track import motion
from edgeagent.track.assignment import Positions
from edgeagent.track.tracker import TrackerOptions
from edgeagent.vision.detections import Detections, FloatArray, IntArray

FARTHEST_PX = 1e6
"""Coordinates of detections are limited to it."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Detections of a frame that continue or start tracks, (n,) each.

    Attributes:
        boxes: (n, 4) float32, x1 y1 x2 y2 in pixels.
        values: (n, 4) float64, centre, width and height.
        scores: float32.
        classes: int32.
        source: int32, rows in the detections of the frame.
        confident: positions of those with score ``high`` or more.
        weak: positions of the others.
    """

    boxes: FloatArray
    values: motion.Boxes
    scores: FloatArray
    classes: IntArray
    source: IntArray
    confident: Positions
    weak: Positions


def usable_candidates(detections: Detections, options: TrackerOptions) -> Candidates:
    """Return the detections with score ``low`` or more, a finite box and, where there are labels, a label."""
    boxes, scores, classes = detections.boxes, detections.scores, detections.classes
    usable = (scores >= options.low) & (classes >= 0)
    if detections.labels:
        usable &= classes < len(detections.labels)
    if not np.isfinite(boxes.sum()):  # one number tells whether to look at all of them
        usable &= np.isfinite(boxes).all(axis=1)
    source = usable.nonzero()[0]
    if len(source) < len(scores):
        boxes, scores, classes = boxes[source], scores[source], classes[source]
    boxes = np.minimum(np.maximum(boxes, -FARTHEST_PX), FARTHEST_PX)
    high = scores >= options.high
    return Candidates(
        boxes,
        motion.measured(boxes.astype(np.float64)),
        scores,
        classes,
        source.astype(np.int32),
        high.nonzero()[0],
        (~high).nonzero()[0],
    )
