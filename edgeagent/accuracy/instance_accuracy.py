"""Accuracy of models for instances: COCO mean average precision of masks, and of their boxes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeagent.accuracy.coco_map import EncodedMask, Found, NoAccuracyError, average_precision
from edgeagent.vision.masks import Mask


@dataclass(frozen=True, slots=True)
class InstanceAccuracy:
    """Mean average precision, 0..1.

    Attributes:
        mask_map50_95: of masks, mean over IoU thresholds .50, .55, ... .95 and classes.
        mask_map50: of masks, mean over classes at IoU .50.
        map50_95: the same of the boxes of the objects.
        map50: the same of the boxes at IoU .50.
        images: number of pictures.
        per_class: mAP50-95 of the masks of each class with a labelled object; the others are absent.
    """

    mask_map50_95: float
    mask_map50: float
    map50_95: float
    map50: float
    images: int
    per_class: dict[str, float]


def instance_accuracy(found: Found) -> InstanceAccuracy:
    """Return the accuracy of objects with masks.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
    """
    masks, boxes = average_precision(found), average_precision(replace(found, masks=None))
    return InstanceAccuracy(
        masks.map50_95, masks.map50, boxes.map50_95, boxes.map50, masks.images, masks.per_class
    )


def encode_mask(mask: Mask) -> EncodedMask:
    """Return the mask of an object in its picture encoded, from the columns of its box alone.

    Raises:
        NoAccuracyError: pycocotools is not installed.
    """
    (height, width), (inner, left, top) = mask.size, mask.in_box()
    columns = np.zeros((inner.shape[1], height), np.int8)
    columns[:, top : top + inner.shape[0]] = inner.T
    changes = np.flatnonzero(np.diff(columns.ravel(), prepend=0, append=0)) + left * height
    counts = np.diff(np.concatenate([[0], changes, [height * width]])).tolist()
    whole = {"size": [height, width], "counts": counts}
    encoded: EncodedMask = _coco().frPyObjects(whole, height, width)
    return encoded


def encode_outlines(
    outlines: Sequence[npt.NDArray[np.float32] | None], size: tuple[int, int]
) -> list[EncodedMask]:
    """Return the inside of each polygon encoded, by the rule of COCO for pixels on the outline.

    Args:
        outlines: corners (k, 2), x and y as shares of the picture.
        size: (width, height) of the picture in pixels.

    Raises:
        NoAccuracyError: pycocotools is not installed.
    """
    pixels = [(one.astype(np.float64) * size).ravel().tolist() for one in outlines if one is not None]
    encoded: list[EncodedMask] = _coco().frPyObjects(pixels, size[1], size[0]) if pixels else []
    return encoded


def _coco() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise NoAccuracyError(
            f"evaluation needs pycocotools ({error}); pip install 'edgeagent[eval]'"
        ) from error
    return mask
