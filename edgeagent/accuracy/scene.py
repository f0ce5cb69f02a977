"""What a camera's frames look like to a model, as histograms of fixed size: no labels are needed.

Of a sample (one frame now and then) four quantities are counted: scores, classes and areas of its
detections, and its brightness. With each goes the number of frames that gave something to it, since
detections of one frame are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeagent.accuracy.two_samples import Counts
from edgeagent.imaging.frame import Image
from edgeagent.telemetry.contract.accuracy import Quantity
from edgeagent.vision.detections import Detections

QUANTITIES: tuple[Quantity, ...] = ("score", "label", "area", "brightness")
SCORE_BINS, AREA_BINS, BRIGHTNESS_BINS = 20, 16, 8
"""Scores in twentieths; shares of the frame's area by halves, 1/2 to 1, 1/4 to 1/2, and so on; brightness in
steps of 32, so that a cloud does not change it."""
STRIDE = 16
"""Every how many-th pixel of every how many-th row the brightness is taken of."""
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red (ITU-R BT.601)."""


class SceneCounts:
    """Counts of all quantities, for a number of classes.

    Attributes:
        frames: samples counted.
        counts: histogram of each quantity, int64.
        contributing: frames that gave something to each quantity.
    """

    __slots__ = ("contributing", "counts", "frames")

    def __init__(self, classes: int) -> None:
        self.frames = 0
        sizes = (SCORE_BINS, classes, AREA_BINS, BRIGHTNESS_BINS)
        self.counts: dict[Quantity, Counts] = {
            name: np.zeros(size, np.int64) for name, size in zip(QUANTITIES, sizes, strict=True)
        }
        self.contributing: dict[Quantity, int] = dict.fromkeys(QUANTITIES, 0)

    def record(self, detections: Detections, image: Image) -> None:
        """Count one frame (height, width, 3) uint8 BGR and its detections, in its pixels."""
        self.frames += 1
        self._add("brightness", brightness_bin(image)[None])
        if len(detections):
            self._add("score", score_bins(detections.scores))
            self._add("label", detections.classes)
            self._add("area", area_bins(detections.boxes, image.shape[0] * image.shape[1]))

    def add(self, other: SceneCounts) -> None:
        """Add other counts, of as many classes."""
        self.frames += other.frames
        for name in QUANTITIES:
            self.counts[name] += other.counts[name]
            self.contributing[name] += other.contributing[name]

    def clear(self) -> None:
        """Begin anew."""
        self.frames = 0
        for name in QUANTITIES:
            self.counts[name][:] = 0
            self.contributing[name] = 0

    def copy(self) -> SceneCounts:
        """Return the same counts."""
        found = SceneCounts(len(self.counts["label"]))
        found.add(self)
        return found

    def _add(self, name: Quantity, bins: npt.NDArray[np.integer]) -> None:
        np.add.at(self.counts[name], bins, 1)
        self.contributing[name] += 1


def total(parts: Sequence[SceneCounts], classes: int) -> SceneCounts:
    """Return the sum of some counts."""
    found = SceneCounts(classes)
    for part in parts:
        found.add(part)
    return found


def score_bins(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return the bin of each score, 0..1."""
    return np.clip((scores * SCORE_BINS).astype(np.intp), 0, SCORE_BINS - 1)


def area_bins(boxes: npt.NDArray[np.float32], pixels: int) -> npt.NDArray[np.intp]:
    """Return the bin of each box (n, 4) by its share of a frame; the last bin has all that is smaller."""
    sizes = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    shares = np.maximum(sizes[:, 0] * sizes[:, 1] / pixels, 1e-30)
    bins: npt.NDArray[np.intp] = np.clip(-np.log2(shares), 0, AREA_BINS - 1).astype(np.intp)
    return bins


def brightness_bin(image: Image) -> npt.NDArray[np.intp]:
    """Return the bin of the mean luma of a picture (height, width, 3) uint8 BGR, as an array without axes."""
    mean = image[::STRIDE, ::STRIDE].reshape(-1, 3).mean(axis=0, dtype=np.float32) @ LUMA
    return np.asarray(min(int(mean) * BRIGHTNESS_BINS // 256, BRIGHTNESS_BINS - 1), np.intp)
