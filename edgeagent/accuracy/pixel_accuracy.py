"""Accuracy of segmenters: intersection over union of the classes of pixels.

Counts of all pictures are summed before they are divided (Everingham et al. 2015, "The Pascal Visual Object
Classes Challenge: A Retrospective", 4.2): for a class, right pixels over the pixels that are of the class, or
taken for it, or both. The mean is over the classes that are labelled somewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""Counts of :func:`count_pixels`, whose size grows with the number of classes, not with its square."""


@dataclass(frozen=True, slots=True)
class PixelAccuracy:
    """Accuracy of a segmenter, 0..1.

    Attributes:
        miou: mean intersection over union of the labelled classes.
        pixels: share of the labelled pixels with the right class.
        images: number of pictures.
        per_class: intersection over union of each labelled class; the others are absent.
    """

    miou: float
    pixels: float
    images: int
    per_class: dict[str, float]


def count_pixels(truth: npt.NDArray[np.uint16], found: npt.NDArray[np.uint16], classes: int) -> Counts:
    """Return (3, classes) pixels: rightly found, labelled, and found, of each class.

    Args:
        truth: (height, width), labelled classes; pixels of larger numbers are not labelled, and not counted.
        found: (height, width), classes of the model.
        classes: number of classes.
    """
    known = truth < classes
    labelled, taken = truth[known], np.minimum(found[known], classes - 1)
    groups = labelled[labelled == taken], labelled, taken
    return np.stack([np.bincount(group, minlength=classes) for group in groups])


def overlaps(counts: Counts) -> npt.NDArray[np.float64]:
    """Return the intersection over union of each class; NaN for a class that is not labelled."""
    right, labelled, taken = counts
    union = labelled + taken - right
    return np.where(labelled > 0, right / np.maximum(union, 1), np.nan)


def pixel_accuracy(counts: Sequence[Counts], labels: Sequence[str]) -> PixelAccuracy:
    """Return the accuracy from the counts of each picture."""
    total = np.sum(counts, axis=0)
    found = overlaps(total)
    per_class = {
        label: round(float(value), 4)
        for label, value in zip(labels, found.tolist(), strict=True)
        if not np.isnan(value)
    }
    pixels = float(total[0].sum() / max(1, total[1].sum()))
    return PixelAccuracy(float(np.nanmean(found)), pixels, len(counts), per_class)
