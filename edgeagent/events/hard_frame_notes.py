"""What is kept beside the picture of a hard frame: camera, time, model, reasons and objects, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.hard_frames import HardFrameReason
from edgeagent.vision.detections import Detections

NAMES = re.compile(r"\d+\.\d{6}\.(?:jpg|json)")
"""Names of pictures and of what was found in them: seconds since 1970."""
DIGITS = 5  # of shares of the picture
MOST_LABELS = 100_000
"""Most letters of all names of the model's classes in the notes; of more, none are noted."""

NamedBox = tuple[str, tuple[float, float, float, float]]
"""Label, and x1, y1, x2, y2 in pixels."""


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame with what a model found in it.

    Attributes:
        camera: its name.
        utc_s: time of the frame, seconds since 1970.
        image: (h, w, 3) uint8, BGR.
        found: detections, in pixels.
        model: name and version of the model.
        size: width and height of the image in pixels; None takes those of ``image``.
    """

    camera: str
    utc_s: float
    image: Image
    found: Detections
    model: str
    size: tuple[int, int] | None = None

    def copied(self) -> SeenFrame:
        """Return the frame with an image of its own."""
        return replace(self, image=self.image.copy())

    def bare(self) -> SeenFrame:
        """Return the frame without its image, of which the size stays."""
        height, width = self.image.shape[:2]
        return replace(self, image=np.zeros((0, 0, 3), np.uint8), size=(width, height))


def hard_frame_notes(
    seen: SeenFrame, low: float, reasons: Sequence[HardFrameReason], right: Sequence[NamedBox] | None = None
) -> bytes:
    """Return the JSON document of a hard frame, with the objects of a score of ``low`` or more, and all
    classes of the model.

    The box of an object is x1, y1, x2, y2 in shares of the picture.

    Args:
        seen: the frame.
        low: least score of an object.
        reasons: why it is kept.
        right: objects that are there, by a judgement, in the place of those that the model found.
    """
    width, height = seen.size or (seen.image.shape[1], seen.image.shape[0])
    found: Iterable[tuple[str, float, Sequence[float]]]
    if right is not None:
        found = ((label, 1.0, box) for label, box in right)
    else:
        found = ((one.label, one.score, one.box) for one in seen.found if one.score >= low)
    objects = [
        {
            "label": label,
            "score": round(score, 3),
            "box": [
                round(min(1.0, max(0.0, value / size)), DIGITS)
                for value, size in zip(box, (width, height) * 2, strict=True)
            ],
        }
        for label, score, box in found
    ]
    about = {
        "camera": seen.camera,
        "time": seen.utc_s,
        "model": seen.model,
        "reasons": list(reasons),
        "width": width,
        "height": height,
        "objects": objects,
    }
    if sum(map(len, seen.found.labels)) <= MOST_LABELS:
        about["labels"] = list(seen.found.labels)
    return json.dumps(about).encode()
