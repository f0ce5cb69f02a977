"""Privacy regions of a picture: what is in them cannot be made out any more."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point

BLOCKS = 12
"""Blocks on the shorter side of a picture: a face or number plate is less than a block."""


def hide_regions(image: Image, polygons: Sequence[Sequence[Point]]) -> None:
    """Replace regions by coarse blocks of their mean colour, in place.

    The blocks are means over the picture, so that nothing of the region is left at a finer scale, however the
    picture is sharpened.

    Args:
        image: (height, width, 3) uint8, BGR.
        polygons: corners (x, y) in shares of the picture.
    """
    if not polygons:
        return
    height, width = image.shape[:2]
    block = max(1, min(height, width) // BLOCKS)
    size = (max(1, width // block), max(1, height // block))
    coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    mask = np.zeros((height, width), np.uint8)
    for corners in polygons:
        pixels = np.array([[round(x * width), round(y * height)] for x, y in corners], np.int32)
        cv2.fillPoly(mask, [pixels], 1)
    np.copyto(image, blocks.astype(np.uint8), where=mask[:, :, None].astype(bool))
