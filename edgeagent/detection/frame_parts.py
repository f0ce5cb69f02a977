"""Parts of a frame that the detector sees as pictures of their own, and their detections in the frame.

::

    frame -> whole, crop, crop, ... -> detector, each -> boxes in pixels of the frame -> one for each object

A crop shows far objects larger. An object that lies in several parts is found in each: of two boxes of one
class from different parts with an overlap (IoU) of :data:`SAME_OVERLAP`, the one with the better score stays.
A box that ends where its crop ends is cut: it stays only if no box of another part covers half of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeagent.imaging.frame import Image
from edgeagent.vision.detections import Detections
from edgeagent.vision.nms import MAX_DETECTIONS, intersection_over_union

SAME_OVERLAP = 0.5
"""Intersection over union from which boxes of two parts are of one object."""
COVERED = 0.5
"""Share of a cut box that another box covers from which it is a piece of that object."""
EDGE_PX = 2.0
"""Distance to the edge of a crop within which a box is cut."""

ShareBox = tuple[float, float, float, float]
"""x1, y1, x2, y2 in shares of the picture."""


@dataclass(frozen=True, slots=True)
class Crop:
    """Part of a frame, in its pixels; the right and lower sides are not inside."""

    left: int
    top: int
    right: int
    bottom: int

    def view(self, image: Image) -> Image:
        """Return its pixels; not a copy."""
        return image[self.top : self.bottom, self.left : self.right]

    def to_frame(self, found: Detections, whole: Crop) -> Detections:
        """Return detections in pixels of the crop as those in pixels of the frame, which is ``whole``."""
        offset = np.array([self.left, self.top, self.left, self.top], np.float32)
        size = whole.bottom, whole.right
        masks = tuple(mask.moved(self.left, self.top, size) for mask in found.masks)
        return replace(found, boxes=found.boxes + offset, masks=masks)

    def cuts(self, boxes: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.bool_]:
        """Return which boxes (n, 4), in pixels of the frame, end at a side that is inside the frame."""
        sides = np.array([self.left, self.top, self.right, self.bottom], np.float32)
        inner = np.array([self.left > 0, self.top > 0, self.right < width, self.bottom < height])
        near: npt.NDArray[np.bool_] = ((np.abs(boxes - sides) <= EDGE_PX) & inner).any(axis=1)
        return near


class FrameParts:
    """The parts of the frames of one camera: the whole frame, and crops.

    Args:
        regions: crops in shares of the picture.
    """

    def __init__(self, regions: Sequence[ShareBox]) -> None:
        self._regions = tuple(regions)
        self._size = (0, 0)
        self._crops: tuple[Crop, ...] = ()

    def crops(self, image: Image) -> tuple[Crop, ...]:
        """Return all parts of a picture, the whole one first; regions of less than a pixel are left out."""
        height, width = image.shape[:2]
        if self._size != (height, width):
            shown = [
                Crop(round(x1 * width), round(y1 * height), round(x2 * width), round(y2 * height))
                for x1, y1, x2, y2 in self._regions
            ]
            usable = [one for one in shown if one.left < one.right and one.top < one.bottom]
            self._size, self._crops = (height, width), (Crop(0, 0, width, height), *usable)
        return self._crops


def merge_parts(parts: Sequence[Detections], crops: Sequence[Crop]) -> Detections:
    """Return the detections of a frame, highest score first.

    Args:
        parts: detections of each part, in pixels of the frame.
        crops: the parts, the whole frame first.
    """
    found, whole = Detections.join(parts), crops[0]
    if len(crops) == 1 or len(found) < 2:
        return found
    part = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
    cut = np.concatenate(
        [crop.cuts(one.boxes, whole.right, whole.bottom) for one, crop in zip(parts, crops, strict=True)]
    )
    order = np.lexsort((-found.scores, cut))[: 4 * MAX_DETECTIONS]  # cut ones last
    found, part, cut = found.take(order), part[order], cut[order]
    other = (part[:, None] != part) & (found.classes[:, None] == found.classes)
    same = intersection_over_union(found.boxes, found.boxes) >= SAME_OVERLAP
    same |= _covered(found.boxes) & cut[:, None]
    rivals = other & same
    kept = np.zeros(len(found), bool)
    for row in range(len(found)):
        kept[row] = not (rivals[row, :row] & kept[:row]).any()
    found = found.take(kept)
    return found.take(np.argsort(-found.scores, kind="stable")[:MAX_DETECTIONS])


def _covered(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return (n, n) whether at least half of each box is covered by each other one."""
    corner = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = np.maximum(opposite - corner, 0).prod(axis=2)
    areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)
    covered: npt.NDArray[np.bool_] = shared / areas[:, None] >= COVERED
    return covered
