"""Histograms of a camera's scene as a model sees it; no labels are needed.

Five quantities of each sampled frame are counted: scores, classes and areas of its detections, its
brightness, and the number of its detections; of a classifier the score and class of the picture. The number
of contributing frames is counted per quantity, as detections of one frame are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeagent.accuracy.two_samples import Counts
from edgeagent.imaging.frame import Image
from edgeagent.telemetry.contract.accuracy import Quantity
from edgeagent.vision.detections import Detections

QUANTITIES: tuple[Quantity, ...] = ("score", "label", "area", "brightness", "detections")
OF_EVERY_FRAME: tuple[Quantity, ...] = ("brightness", "detections")
"""Quantities of which every frame has a value, also one without detections."""
SCORE_BINS, AREA_BINS, BRIGHTNESS_BINS, DETECTIONS_BINS = 20, 16, 8, 8
"""Scores have bins of 0.05; areas (shares of the frame) bins of 1/2 to 1, 1/4 to 1/2, and so on; brightness
has bins of 32, which a cloud does not change; numbers of detections have bins of 0, 1, 2 to 3, 4 to 7, and so
on, the last one open-ended."""
STRIDE = 16
"""Step of rows and columns in pixels at which the brightness is sampled."""
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red (ITU-R BT.601)."""


class SceneCounts:
    """Histograms of all quantities.

    Args:
        classes: number of classes of the model.

    Attributes:
        frames: number of counted frames.
        counts: histogram of each quantity, int64.
        contributing: number of frames with a value, by quantity.
    """

    __slots__ = ("contributing", "counts", "frames")

    def __init__(self, classes: int) -> None:
        self.frames = 0
        sizes = (SCORE_BINS, classes, AREA_BINS, BRIGHTNESS_BINS, DETECTIONS_BINS)
        self.counts: dict[Quantity, Counts] = {
            name: np.zeros(size, np.int64) for name, size in zip(QUANTITIES, sizes, strict=True)
        }
        self.contributing: dict[Quantity, int] = dict.fromkeys(QUANTITIES, 0)

    def record(self, detections: Detections, image: Image) -> None:
        """Count one frame (height, width, 3) uint8 BGR and its detections, in pixels of the frame."""
        self.frames += 1
        self._add("brightness", brightness_bin(image)[None])
        self._add("detections", detections_bin(len(detections))[None])
        if len(detections):
            self._add("score", score_bins(detections.scores))
            self._add("label", detections.classes)
            self._add("area", area_bins(detections.boxes, image.shape[0] * image.shape[1]))
        elif (found := detections.classification) is not None:
            self._add("score", score_bins(np.array([found.score], np.float32)))
            self._add("label", np.array([found.class_index]))

    def covers(self, name: Quantity) -> bool:
        """Return whether the quantity was counted in all frames in which it can be.

        A quantity of every frame is not covered where an older version of the program has counted a part.
        """
        return name not in OF_EVERY_FRAME or self.contributing[name] == self.frames

    def add(self, other: SceneCounts) -> None:
        """Add other counts with the same number of classes."""
        self.frames += other.frames
        for name in QUANTITIES:
            self.counts[name] += other.counts[name]
            self.contributing[name] += other.contributing[name]

    def copy(self) -> SceneCounts:
        """Return a copy of the counts."""
        found = SceneCounts(len(self.counts["label"]))
        found.add(self)
        return found

    def _add(self, name: Quantity, bins: npt.NDArray[np.integer]) -> None:
        np.add.at(self.counts[name], bins, 1)
        self.contributing[name] += 1


def total(parts: Sequence[SceneCounts], classes: int) -> SceneCounts:
    """Return the sum of counts with the same number of classes."""
    found = SceneCounts(classes)
    for part in parts:
        found.add(part)
    return found


def score_bins(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return the bin of each score (n,), 0..1."""
    return np.clip((scores * SCORE_BINS).astype(np.intp), 0, SCORE_BINS - 1)


def area_bins(boxes: npt.NDArray[np.float32], pixels: int) -> npt.NDArray[np.intp]:
    """Return the bin of each box (n, 4) by its share of the frame's pixels; the last bin is open-ended."""
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    shares = np.maximum(sizes[:, 0] * sizes[:, 1] / pixels, 1e-30)
    bins: npt.NDArray[np.intp] = np.clip(-np.log2(shares), 0, AREA_BINS - 1).astype(np.intp)
    return bins


def brightness_bin(image: Image) -> npt.NDArray[np.intp]:
    """Return the bin of the mean luma of a picture (height, width, 3) uint8 BGR, as an array of shape ()."""
    mean = image[::STRIDE, ::STRIDE].reshape(-1, 3).mean(axis=0, dtype=np.float32) @ LUMA
    return np.asarray(min(int(mean) * BRIGHTNESS_BINS // 256, BRIGHTNESS_BINS - 1), np.intp)


def detections_bin(count: int) -> npt.NDArray[np.intp]:
    """Return the bin of a number of detections, as an array of shape ()."""
    return np.asarray(min(count.bit_length(), DETECTIONS_BINS - 1), np.intp)
