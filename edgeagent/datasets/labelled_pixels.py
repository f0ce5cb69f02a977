"""Labelled class of each pixel, from a mask or the outlines of objects, and outlines from classes of pixels.

Outlines are filled in the order of the labels, so that a later one covers those before it. What no outline
covers is of the class ``background`` where the model has one, and else unlabelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.datasets.labels import Labels
from edgeagent.vision.class_map import BACKGROUND, UNLABELLED, ClassIndices

SMALLEST = 3  # points of an outline


def labelled_pixels(labels: Labels, names: Sequence[str], size: tuple[int, int]) -> ClassIndices:
    """Return the labelled class of each pixel, (height, width) uint16; :data:`UNLABELLED` where none is.

    Args:
        labels: a mask, or outlines of all objects.
        names: labels of the model.
        size: (height, width) of the picture in pixels; a mask has this size, too.

    Raises:
        DataError: the mask cannot be read.
    """
    if labels.mask is not None:
        return labels.mask.read()
    height, width = size
    ground = names.index(BACKGROUND) if BACKGROUND in names else UNLABELLED
    found = np.full((height, width), ground, np.uint16)
    for index, outline in zip(labels.classes.tolist(), labels.outlines, strict=False):
        if outline is not None:
            fill_outline(found, outline, index)
    return found


def fill_outline(pixels: npt.NDArray[Any], outline: npt.NDArray[np.float32], value: int) -> None:
    """Set the pixels inside an outline.

    Args:
        pixels: (height, width), changed.
        outline: corners (k, 2), x and y in shares of the picture.
        value: that the pixels get.
    """
    height, width = pixels.shape
    corners = np.round(outline * np.array([width, height], np.float32) - 0.5).astype(np.int32)
    cv2.fillPoly(pixels, [corners], value)


def outline_text(classes: ClassIndices, names: Sequence[str]) -> bytes:
    """Return classes of pixels as the content of a YOLO label file: one polygon for each region.

    Regions are written from the largest to the smallest, so that what lies in another one covers it.

    Args:
        classes: (height, width) uint16.
        names: labels of the model; regions of the background are only written where they lie in another one.

    What is unlabelled is not written; around it nothing is, so that it becomes background where the model has
    that label.
    """
    height, width = classes.shape
    regions: list[tuple[float, int, npt.NDArray[np.int32]]] = []
    for index in np.unique(classes[classes != UNLABELLED]).tolist():
        mask = (classes == index).astype(np.uint8)
        contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        parents = tree[0, :, 3] if tree is not None else ()
        for contour, parent in zip(contours, parents, strict=True):
            if parent < 0 and len(contour) >= SMALLEST:
                regions.append((cv2.contourArea(contour), index, contour[:, 0, :].astype(np.int32)))
    regions.sort(key=lambda region: -region[0])
    if regions and len(names) > regions[0][1] and names[regions[0][1]] == BACKGROUND:
        regions.pop(0)  # around everything else
    lines = []
    for _, index, corners in regions:
        points = (corners + 0.5) / (width, height)
        lines.append(f"{index} {' '.join(f'{value:.5f}' for value in points.ravel().tolist())}\n")
    return "".join(lines).encode()
