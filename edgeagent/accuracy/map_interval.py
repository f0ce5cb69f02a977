"""Interval of a difference in accuracy: paired bootstrap over pictures.

Two models run on the same pictures. A resample draws as many pictures with replacement and takes both
accuracies on that draw; the 2.5th and 97.5th percentile of the differences bound the 95 % interval
(Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13). Pairing removes what is common to
both models: hard pictures are hard for both.

Matching of detections to labels does not depend on the draw, so that it is done once by pycocotools; a draw
only weights pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeagent.accuracy.coco_map import Found, coco_evaluation

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
SEED = 0
ALL_AREAS = 0  # position among the areas of pycocotools

Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AccuracyDifference:
    """Difference in the measure of their task between two models on the same pictures.

    Attributes:
        difference: measure of the model minus that of the other.
        low: lower bound of the 95 % interval.
        high: upper bound.
    """

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _ClassMatches:
    """Matches of one class, detections in descending order of score.

    Attributes:
        objects: (pictures,) labelled objects.
        picture: (n,) picture of each detection.
        right: (thresholds, n) whether it matches an object.
        wrong: (thresholds, n) whether it matches none, and no crowd.
    """

    objects: Counts
    picture: Counts
    right: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]


class MatchedDetections:
    """Detections of a model matched to the labels of all pictures, for mAP on any draw of pictures.

    Args:
        found: pictures with their labelled and detected objects.

    Attributes:
        pictures: number of pictures.

    Raises:
        NoAccuracyError: pycocotools is not installed, or there is no labelled object.
    """

    def __init__(self, found: Found) -> None:
        evaluation = coco_evaluation(found)
        self.pictures = len(found.truths)
        self._recalls = np.asarray(evaluation.params.recThrs)
        self._classes = [
            matches
            for index in range(len(found.labels))
            if (matches := self._matches(evaluation, index)).objects.any()
        ]

    def mean_average_precision(self, weights: Counts) -> float:
        """Return mAP50-95 of a draw.

        Args:
            weights: (pictures,) how often each picture is drawn.

        Raises:
            ValueError: the draw has no labelled object.
        """
        precisions = [self._average_precision(one, weights) for one in self._classes if one.objects @ weights]
        if not precisions:
            raise ValueError("no labelled object is drawn")
        return float(np.mean(precisions))

    def resampled(self, resamples: int = RESAMPLES) -> Numbers:
        """Return the mAP of each of ``resamples`` draws; the draws depend on the number of pictures only."""
        return np.array([self._or_absent(draw) for draw in draws(self.pictures, resamples)])

    def _or_absent(self, draw: Counts) -> float:
        try:
            return self.mean_average_precision(draw)
        except ValueError:
            return float("nan")

    def _average_precision(self, one: _ClassMatches, weights: Counts) -> float:
        """Return the mean over IoU thresholds of the precision interpolated at 101 recalls."""
        drawn = weights[one.picture]
        right = np.cumsum(one.right * drawn, axis=1, dtype=np.float64)
        wrong = np.cumsum(one.wrong * drawn, axis=1, dtype=np.float64)
        recall = right / (one.objects @ weights)
        precision = right / np.maximum(right + wrong, np.spacing(1))
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        total = 0.0
        for reached, value in zip(recall, best, strict=True):
            places = np.searchsorted(reached, self._recalls, side="left")
            total += float(value[places[places < len(value)]].sum())
        return total / (len(recall) * len(self._recalls))

    def _matches(self, evaluation: object, index: int) -> _ClassMatches:
        parameters = evaluation.params  # type: ignore[attr-defined]
        areas = len(parameters.areaRng)
        first = (index * areas + ALL_AREAS) * self.pictures
        parts = evaluation.evalImgs[first : first + self.pictures]  # type: ignore[attr-defined]
        most, thresholds = parameters.maxDets[-1], len(parameters.iouThrs)
        objects = np.zeros(self.pictures, np.int64)
        scores, picture = [np.zeros(0)], [np.zeros(0, np.int64)]
        matched, ignored = [np.zeros((thresholds, 0), bool)], [np.zeros((thresholds, 0), bool)]
        for place, part in enumerate(parts):
            if part is None:
                continue
            objects[place] = np.count_nonzero(np.asarray(part["gtIgnore"]) == 0)
            scores.append(np.asarray(part["dtScores"])[:most])
            picture.append(np.full(len(scores[-1]), place))
            matched.append(np.asarray(part["dtMatches"])[:, :most] > 0)
            ignored.append(np.asarray(part["dtIgnore"])[:, :most] > 0)
        order = np.argsort(-np.concatenate(scores), kind="mergesort")
        own, skipped = (np.concatenate(rows, axis=1)[:, order] for rows in (matched, ignored))
        return _ClassMatches(objects, np.concatenate(picture)[order], own & ~skipped, ~own & ~skipped)


def draws(pictures: int, resamples: int = RESAMPLES) -> Counts:
    """Return how often each picture is drawn: (resamples, pictures).

    The draws are the same for the same number of pictures.
    """
    generator = np.random.default_rng(SEED)
    drawn: Counts = generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=resamples)
    return drawn


def map_difference(own: Sequence[float] | Numbers, other: Sequence[float] | Numbers) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two models' measures, draw by draw."""
    differences = np.asarray(own) - np.asarray(other)
    low, high = np.nanpercentile(differences, PERCENTILES)
    return float(low), float(high)
