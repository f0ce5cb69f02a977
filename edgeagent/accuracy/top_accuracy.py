"""Accuracy of classifiers: pictures whose class has the highest score, or one of the five highest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TOP = 5


@dataclass(frozen=True, slots=True)
class TopAccuracy:
    """Accuracy of a classifier, 0..1.

    Attributes:
        top1: share of pictures whose class has the highest score.
        top5: share of pictures whose class is among the five highest scores.
        images: number of pictures.
        per_class: top-1 of each class with a picture; the others are absent.
    """

    top1: float
    top5: float
    images: int
    per_class: dict[str, float]


def rank_of_class(scores: npt.NDArray[np.float32], index: int) -> float:
    """Return how many classes have a higher score than one of them.

    Classes of the same score count half: codes of 8 bits are often equal, and which of them comes first says
    nothing about a model.
    """
    own = scores[index]
    return float((scores > own).sum()) + 0.5 * float((scores == own).sum() - 1)


def top_accuracy(ranks: Sequence[float], classes: Sequence[int], labels: Sequence[str]) -> TopAccuracy:
    """Return the accuracy from the rank of the class of each picture.

    Args:
        ranks: classes of a higher score than the right one, by picture.
        classes: class of each picture.
        labels: names of all classes.
    """
    right, known = right_at_first(ranks), np.asarray(classes)
    return TopAccuracy(
        float(right.mean()),
        float((np.asarray(ranks) < TOP).mean()),
        len(known),
        {
            label: round(float(right[known == index].mean()), 4)
            for index, label in enumerate(labels)
            if (known == index).any()
        },
    )


def right_at_first(ranks: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return 1 for each picture whose class has the highest score, 1/2 where it shares that, else 0."""
    found = np.asarray(ranks)
    return np.where(found == 0, 1.0, np.where(found == 0.5, 0.5, 0.0))
