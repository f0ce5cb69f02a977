"""Masks of the golden pictures: what is found, against the outlines of the labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.datasets.labelled_pixels import fill_outline
from edgeagent.datasets.labels import Labels
from edgeagent.detection.golden_boxes import FIND_IOU
from edgeagent.vision.detections import Detections


def found_masks(labels: Labels, found: Detections, size: tuple[int, int]) -> int:
    """Return how many labelled objects of a picture have a detection of their class with such a mask.

    Args:
        labels: of the picture.
        found: with masks, in pixels of the picture.
        size: (height, width) of the picture in pixels.
    """
    masks = [mask.in_box() for mask in found.masks]
    count = 0
    for index, outline in zip(labels.classes.tolist(), labels.outlines, strict=False):
        if outline is not None:
            wanted = filled(outline, size)
            same = [mask for mask, kind in zip(masks, found.classes.tolist(), strict=True) if kind == index]
            count += any(_overlap(mask, wanted) >= FIND_IOU for mask in same)
    return count


def _overlap(mask: tuple[npt.NDArray[np.bool_], int, int], wanted: npt.NDArray[np.bool_]) -> float:
    """Return the intersection over union of the pixels of a box, with their left and top, and a picture's."""
    inner, left, top = mask
    shared = np.count_nonzero(inner & wanted[top : top + inner.shape[0], left : left + inner.shape[1]])
    union = np.count_nonzero(inner) + np.count_nonzero(wanted) - shared
    return shared / union if union else 0.0


def filled(outline: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels (height, width) inside an outline (k, 2) of shares of the picture."""
    mask = np.zeros(size, np.uint8)
    fill_outline(mask, outline, 1)
    return mask.astype(np.bool_)
