"""Score of detections without labels: confidence that survives a mirror.

A detector that is fed as in its training is confident, and finds the mirrored objects in the mirrored
picture. Each confident box counts with the lower of the scores of the two pictures times the overlap of the
two boxes; boxes without a partner of the same class count nothing. The score is an estimate: it ranks ways of
preparing a picture, it is no accuracy.
"""

from __future__ import annotations

import numpy as np

from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

CONFIDENT = 0.3
"""Least score of a detection that counts."""
SAME = 0.5
"""Least intersection over union of a box and its mirror image."""


def mirror_score(found: Detections, mirrored: Detections, width: float) -> float:
    """Return the confidence that a picture and its mirror image share, in detections.

    Args:
        found: detections of the picture.
        mirrored: detections of the picture with left and right exchanged.
        width: of the picture, in the unit of the boxes.
    """
    boxes = mirrored.boxes.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    back = Detections(boxes, mirrored.scores, mirrored.classes)
    return (_shared(found, back) + _shared(back, found)) / 2


def _shared(ours: Detections, others: Detections) -> float:
    ours = ours.take(ours.scores >= CONFIDENT)
    if not len(ours) or not len(others):
        return 0.0
    overlap = intersection_over_union(ours.boxes, others.boxes)
    overlap = overlap * (ours.classes[:, None] == others.classes[None, :])
    partner = overlap.argmax(axis=1)
    best = overlap[np.arange(len(ours)), partner]
    lower = np.minimum(ours.scores, others.scores[partner])
    return float((lower * best * (best >= SAME)).sum())
