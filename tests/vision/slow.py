"""Reference decoders as plain loops over numbers, written after the papers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from edgeagent.engines.engine import Array
from edgeagent.vision.detections import Detections

Box = tuple[float, float, float, float]
Read = Callable[[int, str, int, int, int], float]
"""(stride, role, channel, row, column) -> real number."""


class Found(NamedTuple):
    """One detection."""

    box: Box
    score: float
    label: int


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes; 0 for boxes without area."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def suppress(candidates: Sequence[Found], threshold: float) -> list[Found]:
    """Suppress greedily from the highest score; equal scores keep their order."""
    kept: list[Found] = []
    for one in sorted(candidates, key=lambda found: -found.score):
        if not any(one.label == other.label and iou(one.box, other.box) > threshold for other in kept):
            kept.append(one)
    return kept


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def yolox(
    read: Read, strides: Sequence[int], size: tuple[int, int], classes: int, score: float, activated: bool
) -> list[Found]:
    """Decode raw boxes; ``activated`` when objectness and classes are scores, not logits."""
    activate = float if activated else sigmoid
    found = []
    for stride in strides:
        for row in range(size[1] // stride):
            for column in range(size[0] // stride):
                x, y, w, h = (read(stride, "box", channel, row, column) for channel in range(4))
                objectness = activate(read(stride, "objectness", 0, row, column))
                of_class = [activate(read(stride, "classes", k, row, column)) for k in range(classes)]
                best = of_class.index(max(of_class))
                if objectness * of_class[best] >= score:
                    cx, cy = (x + column) * stride, (y + row) * stride
                    w, h = math.exp(w) * stride, math.exp(h) * stride
                    box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                    found.append(Found(box, objectness * of_class[best], best))
    return found


def yolov8(
    read: Read, strides: Sequence[int], size: tuple[int, int], classes: int, score: float, bins: int
) -> list[Found]:
    """Decode distances: the expectation over ``bins`` bins, or the value itself for one bin."""
    found = []
    for stride in strides:
        for row in range(size[1] // stride):
            for column in range(size[0] // stride):
                of_class = [sigmoid(read(stride, "classes", k, row, column)) for k in range(classes)]
                best = of_class.index(max(of_class))
                if of_class[best] < score:
                    continue
                sides = []
                for side in range(4):
                    numbers = [read(stride, "box", side * bins + b, row, column) for b in range(bins)]
                    weights = [math.exp(number) for number in numbers]
                    mean = sum(b * weight for b, weight in enumerate(weights)) / sum(weights)
                    sides.append(numbers[0] if bins == 1 else mean)
                left, top, right, bottom = sides
                x, y = column + 0.5, row + 0.5
                cells = (x - left, y - top, x + right, y + bottom)
                x1, y1, x2, y2 = (value * stride for value in cells)
                found.append(Found((x1, y1, x2, y2), of_class[best], best))
    return found


def yolov5(
    read: Read,
    anchors: Mapping[int, Sequence[tuple[float, float]]],
    size: tuple[int, int],
    classes: int,
    score: float,
) -> list[Found]:
    """Decode boxes relative to anchors (width, height) by stride; channels are ordered by anchor."""
    found = []
    for stride, sizes in anchors.items():
        for row in range(size[1] // stride):
            for column in range(size[0] // stride):
                for number, (width, height) in enumerate(sizes):
                    objectness = sigmoid(read(stride, "objectness", number, row, column))
                    first = number * classes
                    of_class = [
                        sigmoid(read(stride, "classes", first + k, row, column)) for k in range(classes)
                    ]
                    best = of_class.index(max(of_class))
                    if objectness * of_class[best] < score:
                        continue
                    x, y, w, h = (sigmoid(read(stride, "box", 4 * number + k, row, column)) for k in range(4))
                    cx, cy = (2 * x - 0.5 + column) * stride, (2 * y - 0.5 + row) * stride
                    w, h = (2 * w) ** 2 * width, (2 * h) ** 2 * height
                    box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                    found.append(Found(box, objectness * of_class[best], best))
    return found


def rtmdet(
    read: Read, strides: Sequence[int], size: tuple[int, int], classes: int, score: float, distances: str
) -> list[Found]:
    """Decode distances from the corner of a cell: ``linear``, ``relu`` or ``exp`` of the raw numbers."""
    function = {"linear": float, "relu": lambda x: max(x, 0.0), "exp": math.exp}[distances]
    found = []
    for stride in strides:
        for row in range(size[1] // stride):
            for column in range(size[0] // stride):
                of_class = [sigmoid(read(stride, "classes", k, row, column)) for k in range(classes)]
                best = of_class.index(max(of_class))
                if of_class[best] < score:
                    continue
                left, top, right, bottom = (
                    function(read(stride, "box", side, row, column)) * stride for side in range(4)
                )
                x, y = column * stride, row * stride
                found.append(Found((x - left, y - top, x + right, y + bottom), of_class[best], best))
    return found


def detections(found: Sequence[Found]) -> Detections:
    """Return detections as arrays."""
    return Detections(
        np.array([one.box for one in found], np.float32).reshape(-1, 4),
        np.array([one.score for one in found], np.float32),
        np.array([one.label for one in found], np.int32),
    )


def assert_same(got: Detections, wanted: Sequence[Found], precision: float = 1e-4) -> None:
    """Compare in order of score: boxes relative to ``precision``, scores absolute to 1e-5."""
    assert [str(part.dtype) for part in (got.boxes, got.scores, got.classes)] == [
        "float32",
        "float32",
        "int32",
    ]
    expected = detections(sorted(wanted, key=lambda one: -one.score))
    order: Array = np.argsort(-got.scores, kind="stable")
    np.testing.assert_array_equal(got.classes[order], expected.classes)
    np.testing.assert_allclose(got.scores[order], expected.scores, atol=1e-5)
    np.testing.assert_allclose(got.boxes[order], expected.boxes, rtol=precision, atol=10 * precision)


def reals(array: Any, scale: float | None, zero_point: int) -> Any:
    """Return the real numbers (float64) of an output, dequantized where it holds codes."""
    return array.astype(np.float64) if scale is None else (array.astype(np.float64) - zero_point) * scale
