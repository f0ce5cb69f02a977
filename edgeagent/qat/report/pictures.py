"""Example pictures of a report: golden pictures with the boxes of the float and of the INT8 model."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edgeagent.bundle.evidence import PictureBoxes
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.vision.detections import Detections
from edgeagent.vision.draw import draw

WIDTH = 560
QUALITY = 80


@dataclass(frozen=True)
class ExamplePicture:
    """Golden picture with boxes.

    Attributes:
        name: name of the picture in the bundle.
        float_picture: JPEG in base64 with the float model's boxes; None if these are not known.
        float_count: number of these boxes.
        picture: JPEG in base64 with the INT8 model's boxes.
        count: number of these boxes.
    """

    name: str
    float_picture: str | None
    float_count: int
    picture: str
    count: int


def make_examples(
    pictures: Sequence[tuple[str, Path]],
    float_boxes: Sequence[PictureBoxes],
    boxes: Sequence[PictureBoxes],
    labels: Sequence[str],
) -> list[ExamplePicture]:
    """Return the pictures with known boxes of the INT8 model, with the boxes of both models drawn.

    Args:
        pictures: name in the bundle and file of each picture.
        float_boxes: boxes of the float model, for some or none of the pictures.
        boxes: boxes of the INT8 model.
        labels: names of the classes.
    """
    references = {item.picture: item for item in float_boxes}
    known = {item.picture: item for item in boxes}
    examples = []
    for name, path in pictures:
        if name not in known:
            continue
        picture, reference, found = read_picture(path), references.get(name), known[name]
        examples.append(
            ExamplePicture(
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
