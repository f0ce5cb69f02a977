"""Example pictures of a report: golden pictures with the boxes of the float and of the INT8 model."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgeagent.bundle.evidence import PictureBoxes
from edgeagent.camera.frame import Image
from edgeagent.camera.picture import read_picture
from edgeagent.detector import Detector
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw

SCORE_THRESHOLD = 0.3
WIDTH = 560
QUALITY = 80


@dataclass(frozen=True)
class Example:
    """One picture.

    Attributes:
        name: of the picture in the bundle.
        float_picture: JPEG in base64 with the float model's boxes; None when these are not known.
        float_count: number of these boxes.
        picture: JPEG in base64 with the INT8 model's boxes.
        count: number of these boxes.
    """

    name: str
    float_picture: str | None
    float_count: int
    picture: str
    count: int


def find_boxes(detector: Detector, pictures: Sequence[tuple[str, Path]], state: str) -> list[PictureBoxes]:
    """Return what a model finds on pictures, for :data:`edgeagent.bundle.evidence.BOXES`.

    Args:
        detector: loaded.
        pictures: name in the bundle, and file.
        state: of the model.
    """
    buffers, found = detector.allocate(), []
    for name, path in pictures:
        detections = detector.detect(read_picture(path), buffers, SCORE_THRESHOLD)
        rounded = np.round(detections.boxes.astype(float), 1).tolist()
        found.append(
            PictureBoxes(
                picture=name,
                state=state,
                boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in rounded),
                scores=tuple(round(float(score), 4) for score in detections.scores),
                classes=tuple(int(index) for index in detections.classes),
            )
        )
    return found


def make_examples(
    pictures: Sequence[tuple[str, Path]],
    float_boxes: Sequence[PictureBoxes],
    boxes: Sequence[PictureBoxes],
    labels: Sequence[str],
) -> list[Example]:
    """Draw the boxes of both models."""
    by_name = {item.picture: item for item in float_boxes}
    examples = []
    for (name, path), found in zip(pictures, boxes, strict=True):
        picture, reference = read_picture(path), by_name.get(name)
        examples.append(
            Example(
                name,
                None if reference is None else _drawn(picture, reference, labels),
                0 if reference is None else len(reference.scores),
                _drawn(picture, found, labels),
                len(found.scores),
            )
        )
    return examples


def _drawn(picture: Image, found: PictureBoxes, labels: Sequence[str]) -> str:
    height, width = picture.shape[:2]
    scale = min(1.0, WIDTH / width)
    small = np.ascontiguousarray(
        cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA),
        np.uint8,
    )
    detections = Detections(
        np.asarray(found.boxes, np.float32).reshape(-1, 4) * np.float32(scale),
        np.asarray(found.scores, np.float32),
        np.asarray(found.classes, np.int32),
    )
    draw(small, detections, labels)
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return base64.b64encode(content.tobytes()).decode()
