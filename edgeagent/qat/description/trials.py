"""Trials of ways of preparing a picture on the float heads of a model, with or without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.accuracy.coco_map import Found, GroundTruth
from edgeagent.accuracy.map_interval import SEED, MatchedDetections
from edgeagent.detection.detector import Detector
from edgeagent.engines.engine import Buffers
from edgeagent.imaging.frame import Image
from edgeagent.imaging.letterbox import fit_size
from edgeagent.qat.description.preprocessing import STRETCHED, Preprocessing
from edgeagent.qat.description.score import other_view, shared_confidence
from edgeagent.vision.detections import Detections
from edgeagent.vision.preprocessor import Preprocessor

LEAST_SCORE, LEAST_ESTIMATED = 0.01, 0.1
"""Least score of a detection, with labels and without."""
GREY = 114
DRAWS = 200
"""Draws of the bootstrap over pictures."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trial:
    """Result of one way of preparing pictures.

    Attributes:
        preprocessing: the way.
        score: mAP50-95 with labels; without, the mean of :func:`shared_confidence` over the pictures.
        resampled: (draws,) score on each draw of the bootstrap over pictures, the same draws in all trials.
        highest: highest score of a detection, 0..1.
        found: detections of each picture, in its pixels.
    """

    preprocessing: Preprocessing
    score: float
    resampled: Numbers = field(repr=False)
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
        self._least = LEAST_ESTIMATED if truths is None else LEAST_SCORE
        share = np.full(len(pictures), 1 / len(pictures))
        self._draws = np.random.default_rng(SEED).multinomial(len(pictures), share, size=DRAWS)
        self._distortion: tuple[Numbers, Numbers] | None = None

    def run(self, preprocessing: Preprocessing, report: Callable[[], None] = lambda: None) -> Trial:
        """Try one way of preparing the pictures.

        Args:
            preprocessing: the way.
            report: called after each picture.

        Raises:
            EngineError: the engine fails.
        """
        detector = self._prepared(preprocessing)
        found, shared = [], []
        for picture in self._pictures:
            found.append(detector.detect(picture, self._buffers, self._least))
            if self._truths is None:
                shared.append(self._shared(detector, picture, found[-1]))
            report()
        highest = max((float(one.scores.max()) for one in found if len(one)), default=0.0)
        if self._truths is None:
            once, draws = self._estimate(preprocessing, np.array(shared))
        else:
            once, draws = self._accuracy(found, self._truths)
        return Trial(preprocessing, once, draws, highest, tuple(found))

    def _prepared(self, preprocessing: Preprocessing) -> Detector:
        given = self._detector.description
        spec = preprocessing.input(given.input.width, given.input.height)
        description = given.model_copy(update={"input": spec})
        writer = Preprocessor(spec, self._detector.engine.inputs[0])
        return replace(self._detector, description=description, preprocessor=writer)

    def _accuracy(self, found: Sequence[Detections], truths: Sequence[GroundTruth]) -> tuple[float, Numbers]:
        names = tuple(str(number) for number in range(len(self._detector.description.labels)))
        matched = MatchedDetections(Found(list(truths), list(found), names))
        score = matched.mean_average_precision(np.ones(len(self._pictures), np.int64))
        return score, matched.resampled(DRAWS)

    def _estimate(self, preprocessing: Preprocessing, shared: Numbers) -> tuple[float, Numbers]:
        draws = self._draws @ shared / len(shared)
        if preprocessing.placement != STRETCHED:
            return float(shared.mean()), draws
        kept, distorted = self._distorted(preprocessing)
        once = _share(distorted.sum(), kept.sum())
        return float(shared.mean() * once), draws * _share(self._draws @ distorted, self._draws @ kept)

    def _shared(self, detector: Detector, picture: Image, found: Detections) -> float:
        letterbox = detector.description.input.letterbox
        view = other_view(picture, GREY if letterbox is None else letterbox.pad)
        again = view.to_first(detector.detect(view.picture, self._buffers, self._least))
        return shared_confidence(found, again)

    def _distorted(self, preprocessing: Preprocessing) -> tuple[Numbers, Numbers]:
        """Return (pictures,) scores of pictures in proportion and of distorted ones, of equal area.

        A stretched picture shows larger objects than a letterboxed one, which raises the score of every
        model. What tells a model that was trained on stretched pictures is how little it minds their shapes:
        the same pictures, padded and of equal area, once in proportion and once square.
        """
        if self._distortion is None:
            detector = self._prepared(preprocessing)
            spec = detector.description.input
            kept, distorted = [], []
            for picture in self._pictures:
                fit = fit_size((picture.shape[0], picture.shape[1]), (spec.height, spec.width), "centre")
                square = np.sqrt(fit.size[0] * fit.size[1] / (spec.height * spec.width))
                size = (int(spec.height * square), int(spec.width * square))
                kept.append(self._of_size(detector, picture, fit.size))
                distorted.append(self._of_size(detector, picture, size))
            self._distortion = np.array(kept), np.array(distorted)
        return self._distortion

    def _of_size(self, detector: Detector, picture: Image, size: tuple[int, int]) -> float:
        spec = detector.description.input
        padded = _padded(picture, size, (spec.height, spec.width))
        return self._shared(detector, padded, detector.detect(padded, self._buffers, self._least))


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return part / whole, at most 1; 1 where the whole is 0."""
    some, all_of = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.minimum(1.0, np.divide(some, all_of, out=np.ones_like(all_of), where=all_of > 0))


def _padded(picture: Image, size: tuple[int, int], target: tuple[int, int]) -> Image:
    """Return a picture scaled to ``size`` (height, width) in the middle of a grey one of ``target``."""
    (height, width), canvas = size, np.full((*target, 3), GREY, np.uint8)
    top, left = (target[0] - height) // 2, (target[1] - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(picture, (width, height))
    return canvas
