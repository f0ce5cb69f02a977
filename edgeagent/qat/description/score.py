"""Score of detections without labels: confidence that survives a mirror and another size.

A detector that is fed as in its training is confident, and finds the same objects in the mirrored and smaller
picture. A detector that is fed too large numbers is confident too, of boxes that come from its cells and not
from the picture: these do not move with it. Each confident box counts with the lower of the two scores times
the overlap of the two boxes; boxes without a partner of the same class count nothing. The score is an
estimate: it ranks ways of preparing a picture, it is no accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import intersection_over_union

CONFIDENT = 0.3
"""Least score of a detection that counts."""
SAME = 0.5
"""Least intersection over union of a box and its image in the other picture."""
SMALLER = 0.75
"""Size of the other picture."""


@dataclass(frozen=True)
class OtherView:
    """The same picture, mirrored and smaller, in the middle of a grey one of its size.

    Attributes:
        picture: (height, width, 3) uint8, BGR.
        scale: (horizontal, vertical), pixels of this picture per pixel of the first.
        offset: (left, top) of the smaller picture.
    """

    picture: Image
    scale: tuple[float, float]
    offset: tuple[int, int]

    def to_first(self, found: Detections) -> Detections:
        """Return detections of this picture in the pixels of the first one."""
        offset, scale = np.array(self.offset * 2, np.float32), np.array(self.scale * 2, np.float32)
        boxes = (found.boxes - offset) / scale
        boxes[:, [0, 2]] = self.picture.shape[1] - boxes[:, [2, 0]]
        return Detections(boxes, found.scores, found.classes)


def other_view(picture: Image, grey: int) -> OtherView:
    """Return the mirrored and smaller picture, with padding of a grey level 0..255."""
    height, width = picture.shape[:2]
    small = max(1, round(height * SMALLER)), max(1, round(width * SMALLER))
    top, left = (height - small[0]) // 2, (width - small[1]) // 2
    canvas = np.full_like(picture, grey)
    resized = cv2.resize(picture[:, ::-1], small[::-1], interpolation=cv2.INTER_AREA)
    canvas[top : top + small[0], left : left + small[1]] = resized
    return OtherView(canvas, (small[1] / width, small[0] / height), (left, top))


def shared_confidence(one: Detections, other: Detections) -> float:
    """Return the confidence that two views of a picture share, in detections.

    Args:
        one: detections of a picture.
        other: detections of another view of it, in the pixels of the first.
    """
    return (_found_again(one, other) + _found_again(other, one)) / 2


def _found_again(ours: Detections, others: Detections) -> float:
    ours = ours.take(ours.scores >= CONFIDENT)
    if not len(ours) or not len(others):
        return 0.0
    overlap = intersection_over_union(ours.boxes, others.boxes)
    overlap = overlap * (ours.classes[:, None] == others.classes[None, :])
    partner = overlap.argmax(axis=1)
    best = overlap[np.arange(len(ours)), partner]
    lower = np.minimum(ours.scores, others.scores[partner])
    return float((lower * best * (best >= SAME)).sum())
