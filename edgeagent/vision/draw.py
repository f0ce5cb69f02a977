"""Drawing detections on a frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections

FONT = cv2.FONT_HERSHEY_SIMPLEX
BLACK = (0, 0, 0)


def draw(image: Image, detections: Detections, labels: Sequence[str]) -> None:
    """Draw boxes with label and score into a BGR picture (h, w, 3) uint8, in place."""
    size = max(0.4, min(image.shape[:2]) / 1000)
    line = max(1, round(2 * size))
    for box, score, index in zip(detections.boxes, detections.scores, detections.classes, strict=True):
        x1, y1, x2, y2 = (int(value) for value in box)
        colour = class_colour(int(index))
        text = f"{labels[index]} {score:.2f}"
        (width, height), below = cv2.getTextSize(text, FONT, size, line)
        top = max(y1, height + below)  # keeps the text inside the picture
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, line)
        cv2.rectangle(image, (x1, top - height - below), (x1 + width, top), colour, cv2.FILLED)
        cv2.putText(image, text, (x1, top - below // 2), FONT, size, BLACK, line, cv2.LINE_AA)


def class_colour(index: int) -> tuple[int, int, int]:
    """Return the BGR colour of a class: light, constant, and distinct from those of neighbouring indices."""
    hue = (index * 67) % 180  # 67 is coprime with 180, so neighbouring hues are far apart
    bgr = cv2.cvtColor(np.array([[[hue, 160, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    return int(bgr[0]), int(bgr[1]), int(bgr[2])
