"""Selection among decoded boxes: class-aware non-maximum suppression through OpenCV, or the best scores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.vision.detections import Detections
from edgeagent.vision.discard import keep_finite

MAX_DETECTIONS = 300
"""Detections kept per frame."""

MAX_CANDIDATES = 10_000
"""Candidates compared per frame, best scores first."""

LEAST_AREA = np.float32(1e-30)
"""Area of two boxes from which their overlap is a ratio; below, nothing is shared."""

Selection = Callable[[Detections], Detections]
"""Function from all candidates of a frame to its detections, highest score first."""


def selection(nms: Literal["per-class", "none"], iou_threshold: float) -> Selection:
    """Return the selection of a decoder.

    Args:
        nms: ``per-class`` takes :func:`suppress`, ``none`` takes :func:`keep_best`.
        iou_threshold: threshold of non-maximum suppression, 0..1.
    """
    return keep_best if nms == "none" else partial(suppress, iou_threshold=iou_threshold)


def keep_best(candidates: Detections) -> Detections:
    """Return the :data:`MAX_DETECTIONS` best candidates, highest score first, without suppression.

    For detectors that are trained to give one box per object (one-to-one heads of YOLOv10, Wang et al. 2024,
    arXiv:2405.14458, and YOLO26). Candidates that are not finite are left out.
    """
    candidates = keep_finite(candidates)
    if len(candidates) > MAX_DETECTIONS:
        best = np.argpartition(candidates.scores, -MAX_DETECTIONS)[-MAX_DETECTIONS:]
        candidates = candidates.take(best)
    return candidates.take(np.argsort(-candidates.scores, kind="stable"))


def suppress(candidates: Detections, iou_threshold: float) -> Detections:
    """Apply non-maximum suppression per class.

    Of two detections of one class whose intersection over union is above ``iou_threshold``, the one with the
    lower score is removed. Only the :data:`MAX_CANDIDATES` best are compared. Candidates that are not finite
    are left out first: one of them would make OpenCV remove boxes of other classes.

    Returns:
        At most :data:`MAX_DETECTIONS` detections, highest score first.
    """
    candidates = keep_finite(candidates)
    if len(candidates) > MAX_CANDIDATES:
        best = np.argpartition(candidates.scores, -MAX_CANDIDATES)[-MAX_CANDIDATES:]
        candidates = candidates.take(best)
    if len(candidates) < 2:
        return candidates
    boxes = candidates.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]  # OpenCV takes x, y, width, height
    # it separates classes by an offset beyond the greatest x and y, which requires coordinates from 0
    boxes[:, :2] -= boxes[:, :2].min()
    kept = cv2.dnn.NMSBoxesBatched(
        boxes,  # type: ignore[arg-type]  # arrays are accepted and faster than lists
        candidates.scores,  # type: ignore[arg-type]
        candidates.classes,  # type: ignore[arg-type]
        0.0,
        iou_threshold,
    )
    return candidates.take(np.asarray(kept, np.intp)[:MAX_DETECTIONS])


def intersection_over_union(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the intersection over union (n, m) float32 of boxes (n, 4) and (m, 4), x1 y1 x2 y2."""
    left, top, right, bottom = np.ascontiguousarray(first.T)[:, :, None]
    others = np.ascontiguousarray(second.T)
    width = np.maximum(np.minimum(right, others[2]) - np.maximum(left, others[0]), 0)
    height = np.maximum(np.minimum(bottom, others[3]) - np.maximum(top, others[1]), 0)
    shared = width * height
    own_sides, other_sides = (np.maximum(boxes[:, 2:] - boxes[:, :2], 0) for boxes in (first, second))
    areas = (own_sides[:, 0] * own_sides[:, 1])[:, None] + other_sides[:, 0] * other_sides[:, 1]
    union = np.maximum(areas - shared, LEAST_AREA)
    ratio: npt.NDArray[np.float32] = shared / union
    return ratio
