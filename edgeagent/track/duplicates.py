"""Second boxes of one object, which start no track of their own.

Non-maximum suppression leaves two boxes of one object where they differ in size, such as a person and the
upper half of that person: their overlap is small, but one lies in the other. A track of each would count the
object twice on lines and in zones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.vision.detections import FloatArray, IntArray
from edgeagent.vision.nms import intersection_over_union

DUPLICATE_OVERLAP = 0.7
"""Overlap of two boxes of any class from which they are one object."""

DUPLICATE_SHARE = 0.8
"""Share of the smaller of two boxes of one class, in the larger, from which they are one object."""

LEAST_OVERLAP = 0.3
"""Overlap that they have then: a small box in a large one is somebody behind, or a part."""


def are_duplicates(
    boxes: FloatArray, classes: IntArray, others: FloatArray, other_classes: IntArray
) -> npt.NDArray[np.bool_]:
    """Return (n, m) bool which boxes are of one object.

    Args:
        boxes: (n, 4) float32, x1 y1 x2 y2.
        classes: (n,) int32.
        others: (m, 4) float32.
        other_classes: (m,) int32.
    """
    overlap = intersection_over_union(boxes, others)
    area, other_area = _areas(boxes)[:, None], _areas(others)[None, :]
    shared = overlap * (area + other_area) / (1 + overlap)
    one_in_other = shared >= DUPLICATE_SHARE * np.minimum(area, other_area)
    same = classes[:, None] == other_classes[None, :]
    found: npt.NDArray[np.bool_] = (overlap >= DUPLICATE_OVERLAP) | (
        one_in_other & same & (overlap >= LEAST_OVERLAP)
    )
    return found


def _areas(boxes: FloatArray) -> FloatArray:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    areas: FloatArray = sides[:, 0] * sides[:, 1]
    return areas
