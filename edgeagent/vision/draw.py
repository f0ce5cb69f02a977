"""Drawing detections on a frame.

Lines and letters grow with the picture: 2 pixels and about 10 pixels at a height of 600. All boxes are drawn
before the labels, so that no line crosses a label. Labels lie inside the picture and not over each other; the
label of the highest score has the first choice of a place, and a label without a free place is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.imaging.frame import Image
from edgeagent.vision.class_map import BACKGROUND, ClassMap
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections

FONT = cv2.FONT_HERSHEY_SIMPLEX
BLACK = (0, 0, 0)
_STEPS = 4
"""Heights of a label that it may be away from its box, where the places at the box are taken."""

TINT = 0.4
"""Share of the colour of a class or object in its pixels."""
Colour = tuple[int, int, int]
"""Blue, green, red, 0..255."""
Place = tuple[int, int, int, int]
"""Left, top, right and lower edge in pixels; the last two are outside."""


def draw(
    image: Image, detections: Detections, labels: Sequence[str], colours: Sequence[int] | None = None
) -> None:
    """Draw boxes with label and score into a BGR picture (h, w, 3) uint8, in place.

    The class of the whole picture is written into its lower left corner; classes of pixels, and the pixels of
    objects with masks, are tinted.

    Args:
        image: picture.
        detections: in pixels of the picture.
        labels: names of the classes.
        colours: number of the colour of each detection; None takes that of its class.
    """
    shades = [class_colour(int(index)) for index in (detections.classes if colours is None else colours)]
    tint(image, detections, shades)
    shorter = min(image.shape[:2])
    line, size = max(1, round(shorter / 300)), max(0.4, shorter / 1200)
    boxes = [tuple(int(value) for value in box) for box in detections.boxes]
    for box, shade in zip(boxes, shades, strict=True):
        if line > 1:  # an edge that shows on a light ground
            _rectangle(image, box, -1, BLACK)
            _rectangle(image, box, line, BLACK)
        for inset in range(line):  # OpenCV draws an even thickness one pixel wider
            _rectangle(image, box, inset, shade)
    taken: list[Place] = []
    if detections.classification is not None:
        taken.append(_write_class(image, detections.classification, size))
    for number in np.argsort(-detections.scores, kind="stable"):
        index = int(detections.classes[number])
        text = f"{labels[index]} {detections.scores[number]:.2f}"
        thickness = max(1, round(size))
        (width, height), below = cv2.getTextSize(text, FONT, size, thickness)
        area = (width + 2 * thickness, height + below + thickness)
        place = _free_place(boxes[number], area, image.shape[:2], taken)
        if place is None:
            continue
        taken.append(place)
        left, top, right, bottom = place
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), shades[number], cv2.FILLED)
        start = (left + thickness, bottom - below)
        cv2.putText(image, text, start, FONT, size, BLACK, thickness, cv2.LINE_AA)


def tint(image: Image, found: Detections, shades: Sequence[Colour] | None = None) -> None:
    """Tint the pixels of a result in its BGR picture, in place: those of each class, or of each object.

    Args:
        image: picture.
        found: in pixels of the picture.
        shades: colour of each object; None takes that of its class.
    """
    if found.class_map is not None:
        _tint_classes(image, found.class_map)
    colours = shades or [class_colour(index) for index in found.classes.tolist()]
    for mask, shade in zip(found.masks, colours, strict=bool(found.masks)):
        inner, left, top = mask.in_box()
        _tint(image[top : top + inner.shape[0], left : left + inner.shape[1]], inner, shade)


def _tint(image: Image, mask: npt.NDArray[np.bool_], shade: Colour) -> None:
    image[mask] = (image[mask] * (1 - TINT) + np.array(shade, np.float32) * TINT).astype(np.uint8)


def _tint_classes(image: Image, found: ClassMap) -> None:
    """Tint the pixels of each class in a BGR picture, in place; those of the background stay as they are."""
    height, width = image.shape[:2]
    cells = cv2.resize(found.cells, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    for index in np.unique(cells).tolist():
        if index < len(found.labels) and found.labels[index] == BACKGROUND:
            continue
        _tint(image, cells == index, class_colour(int(index)))


def _write_class(image: Image, found: Classification, size: float) -> Place:
    text, thickness = f"{found.label} {found.score:.2f}", max(1, round(size))
    (width, height), below = cv2.getTextSize(text, FONT, size, thickness)
    bottom = image.shape[0]
    place = (0, bottom - height - below - thickness, width + 2 * thickness, bottom)
    cv2.rectangle(image, place[:2], (place[2] - 1, bottom - 1), class_colour(found.class_index), cv2.FILLED)
    start = (thickness, bottom - below)
    cv2.putText(image, text, start, FONT, size, BLACK, thickness, cv2.LINE_AA)
    return place


def _rectangle(image: Image, box: Sequence[int], inset: int, colour: Colour) -> None:
    x1, y1, x2, y2 = box
    cv2.rectangle(image, (x1 + inset, y1 + inset), (x2 - inset, y2 - inset), colour)


def class_colour(index: int) -> Colour:
    """Return the BGR colour of a class: light, constant, and distinct from those of neighbouring indices."""
    hue = (index * 67) % 180  # 67 is coprime with 180, so neighbouring hues are far apart
    bgr = cv2.cvtColor(np.array([[[hue, 160, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    return int(bgr[0]), int(bgr[1]), int(bgr[2])


def _free_place(
    box: Sequence[int], area: tuple[int, int], picture: tuple[int, ...], taken: Sequence[Place]
) -> Place | None:
    """Return the first free place for the label of a box; None where all are taken.

    Args:
        box: x1, y1, x2, y2 in pixels.
        area: width and height of the label in pixels.
        picture: its height and width in pixels.
        taken: places of other labels.
    """
    (width, height), (rows, columns) = area, picture
    for left, top in _places(box, width, height):
        x, y = max(0, min(left, columns - width)), max(0, min(top, rows - height))
        place = (x, y, x + width, y + height)
        if not any(_overlap(place, other) for other in taken):
            return place
    return None


def _places(box: Sequence[int], width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield left and upper edges of a label: on its box, below, inside, then away from it."""
    x1, y1, x2, y2 = box
    for left in (x1, x2 - width):
        yield left, y1 - height
    for top in (y2, y1, y2 - height):
        yield x1, top
    for step in range(2, _STEPS + 1):
        yield x1, y1 - step * height
        yield x1, y2 + (step - 1) * height


def _overlap(one: Place, other: Place) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
