"""Motion in the pictures of one camera: the share of the picture that differs from a running background.

::

    picture -> small, grey, smooth -> |difference to the background| >= threshold -> share of the picture
                           |                                            ^
                           +-> mean over BACKGROUND_S                   +-- contrast, or noise if greater

The small picture has about 160 pixels on its longer side, each the mean of a block; of every block only
some rows are read. All arrays are kept, so that a picture of the same size allocates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from edgeagent.imaging.frame import Image
from edgeagent.imaging.polygon import Point

LONGER_SIDE = 160
"""Pixels of the longer side of the small picture, about."""
ROWS_READ = (3, 2, 4, 5, 7)
"""Rows of a block that are read: the first of these numbers that divides its height, or one."""
BACKGROUND_S = 1.0
"""Time constant of the background, in seconds."""
NOISE_FACTOR = 5.0
"""Threshold over the median difference of the picture, which noise makes and small moving things do not."""
MOST_NOISE = 5.0
"""Median difference, in grey levels, that noise makes after the means of blocks; more is other light."""
NOISE_SAMPLES = 1024
"""Most pixels from which the median is taken."""
WHOLE_PICTURE = 0.5
"""Share from which the whole picture has changed: light that was switched, or a camera that was moved."""


class _Planes:
    """Arrays for pictures of one size.

    Args:
        shape: of the picture.
        masks: corners (x, y) of the areas that are left out, in shares of the picture.
    """

    def __init__(self, shape: tuple[int, ...], masks: Sequence[Sequence[Point]]) -> None:
        self.shape = shape
        self.block = max(1, round(max(shape[:2]) / LONGER_SIDE))
        height, width = max(1, shape[0] // self.block), max(1, shape[1] // self.block)
        self.step = self.block // next((rows for rows in ROWS_READ if self.block % rows == 0), 1)
        self.colour = np.empty((height, width, 3), np.uint8)
        self.grey, self.changed = np.empty((height, width), np.uint8), np.empty((height, width), np.bool_)
        self.now, self.difference, self.background = (np.empty((height, width), np.float32) for _ in range(3))
        seen = np.ones((height, width), np.uint8)
        for corners in masks:
            pixels = np.array([[round(x * width), round(y * height)] for x, y in corners], np.int32)
            cv2.fillPoly(seen, [pixels], 0)
        self.seen, places = seen.astype(np.bool_), np.flatnonzero(seen)
        self.area = len(places)
        self.places = np.ascontiguousarray(places[:: max(1, math.ceil(len(places) / NOISE_SAMPLES))])
        self.samples = np.empty(len(self.places), np.float32)

    def reduce(self, image: Image) -> None:
        """Write the small, smoothed picture into ``now``."""
        height, width = self.grey.shape
        rows = image[: height * self.block : self.step, : width * self.block]
        cv2.resize(rows, (width, height), dst=self.colour, interpolation=cv2.INTER_AREA)
        cv2.cvtColor(self.colour, cv2.COLOR_BGR2GRAY, dst=self.grey)
        np.copyto(self.now, self.grey)
        cv2.blur(self.now, (3, 3), dst=self.now)

    def noise(self) -> float:
        """Return the median difference."""
        np.take(self.difference.reshape(-1), self.places, out=self.samples, mode="clip")
        middle = len(self.samples) // 2
        self.samples.partition(middle)
        return float(self.samples[middle])


class PictureMotion:
    """Motion in the pictures of one camera. Not thread-safe.

    Args:
        contrast: change of a place that counts, in grey levels.
        masks: corners (x, y) of areas that are left out, in shares of the picture.
    """

    def __init__(self, contrast: float, masks: Sequence[Sequence[Point]] = ()) -> None:
        self._contrast, self._masks = contrast, tuple(masks)
        self._planes: _Planes | None = None
        self._time_s = 0.0

    def observe(self, image: Image, time_s: float) -> float:
        """Return the share of the picture that has changed, 0..1, and take it into the background.

        It is 1 for the first picture, and for the first of another size. A change of the whole picture (from
        :data:`WHOLE_PICTURE` on) replaces the background.

        Args:
            image: (height, width, 3) uint8, BGR.
            time_s: time of the camera in seconds.
        """
        planes, passed_s, self._time_s = self._planes, time_s - self._time_s, time_s
        if planes is None or planes.shape != image.shape:
            planes = self._planes = _Planes(image.shape, self._masks)
            planes.reduce(image)
            np.copyto(planes.background, planes.now)
            return 1.0
        if not planes.area:
            return 0.0
        planes.reduce(image)
        cv2.absdiff(planes.now, planes.background, dst=planes.difference)
        noise = planes.noise()
        threshold = max(self._contrast, NOISE_FACTOR * noise if noise <= MOST_NOISE else 0.0)
        np.greater_equal(planes.difference, threshold, out=planes.changed)
        np.logical_and(planes.changed, planes.seen, out=planes.changed)
        share = np.count_nonzero(planes.changed) / planes.area
        if share >= WHOLE_PICTURE:
            np.copyto(planes.background, planes.now)
        else:
            weight = 1 - math.exp(-max(passed_s, 0.0) / BACKGROUND_S)
            cv2.accumulateWeighted(planes.now, planes.background, weight)
        return share
