"""Trials of ways of preparing a picture on the float heads of a model, with or without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from edgeagent.accuracy.coco_map import GroundTruth, mean_average_precision
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import fit_size
from edgeagent.qat.description.preprocessing import STRETCHED, Preprocessing
from edgeagent.qat.description.score import mirror_score
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import Preprocessor

LEAST_SCORE = 0.01
GREY = 114


@dataclass(frozen=True)
class Trial:
    """Result of one way of preparing pictures.

    Attributes:
        preprocessing: the way.
        score: mAP50-95 with labels; without, the estimate of :func:`mirror_score` per picture.
        highest: highest score of a detection, 0..1.
        found: detections of each picture, in its pixels.
    """

    preprocessing: Preprocessing
    score: float
    highest: float
    found: tuple[Detections, ...] = field(repr=False)


class Trials:
    """Trials on some pictures.

    Args:
        detector: float heads of the model with a decoder; its preprocessing is replaced.
        pictures: (height, width, 3) uint8, BGR.
        truths: labelled objects of the pictures; None estimates the score without labels.
    """

    def __init__(
        self, detector: Detector, pictures: Sequence[Image], truths: Sequence[GroundTruth] | None
    ) -> None:
        self._detector, self._pictures, self._truths = detector, pictures, truths
        self._buffers: Buffers = detector.allocate()
        self._distortion: float | None = None

    def with_detector(self, detector: Detector) -> Trials:
        """Return trials of another decoder on the same pictures."""
        return Trials(detector, self._pictures, self._truths)

    def run(self, preprocessing: Preprocessing, report: Callable[[], None] = lambda: None) -> Trial:
        """Try one way of preparing the pictures.

        Args:
            preprocessing: the way.
            report: called after each picture.

        Raises:
            EngineError: the engine fails.
        """
        detector = self._prepared(preprocessing)
        found, total = [], 0.0
        for picture in self._pictures:
            found.append(detector.detect(picture, self._buffers, LEAST_SCORE))
            if self._truths is None:
                total += self._mirrored(detector, picture, found[-1])
            report()
        highest = max((float(one.scores.max()) for one in found if len(one)), default=0.0)
        if self._truths is not None:
            names = [str(number) for number in range(len(detector.description.labels))]
            score = mean_average_precision(self._truths, found, names).map50_95
        else:
            score = total / len(self._pictures)
            if preprocessing.placement == STRETCHED and score:
                score *= self._distortion_cost(preprocessing)
        return Trial(preprocessing, score, highest, tuple(found))

    def _prepared(self, preprocessing: Preprocessing) -> Detector:
        given = self._detector.description
        spec = preprocessing.input(given.input.width, given.input.height)
        description = given.model_copy(update={"input": spec})
        writer = Preprocessor(spec, self._detector.engine.inputs[0])
        return replace(self._detector, description=description, preprocessor=writer)

    def _mirrored(self, detector: Detector, picture: Image, found: Detections) -> float:
        mirrored = detector.detect(np.ascontiguousarray(picture[:, ::-1]), self._buffers, LEAST_SCORE)
        return mirror_score(found, mirrored, picture.shape[1])

    def _distortion_cost(self, preprocessing: Preprocessing) -> float:
        """Return the share of the score that remains when shapes are distorted at equal scale, at most 1.

        A stretched picture shows larger objects than a letterboxed one, which raises the score of every
        model. What tells a model that was trained on stretched pictures is how little it minds their shapes:
        the same pictures, padded and of equal area, once in proportion and once square.
        """
        if self._distortion is None:
            detector = self._prepared(preprocessing)
            spec = detector.description.input
            kept = distorted = 0.0
            for picture in self._pictures:
                fit = fit_size((picture.shape[0], picture.shape[1]), (spec.height, spec.width), "centre")
                square = np.sqrt(fit.size[0] * fit.size[1] / (spec.height * spec.width))
                size = (int(spec.height * square), int(spec.width * square))
                kept += self._of_size(detector, picture, fit.size)
                distorted += self._of_size(detector, picture, size)
            self._distortion = min(1.0, distorted / kept) if kept else 1.0
        return self._distortion

    def _of_size(self, detector: Detector, picture: Image, size: tuple[int, int]) -> float:
        spec = detector.description.input
        padded = _padded(picture, size, (spec.height, spec.width))
        return self._mirrored(detector, padded, detector.detect(padded, self._buffers, LEAST_SCORE))


def _padded(picture: Image, size: tuple[int, int], target: tuple[int, int]) -> Image:
    """Return a picture scaled to ``size`` (height, width) in the middle of a grey one of ``target``."""
    (height, width), canvas = size, np.full((*target, 3), GREY, np.uint8)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(picture, (width, height))
    return canvas
