"""Health of a camera's pictures: black, covered, frozen or out of focus, within a minute.

Pictures are judged by cheap statistics of samples about one second apart. A fault is reported when all
samples of :data:`HOLD_S` seconds agree, and is over with the first sample that disagrees.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from edgeagent.imaging.frame import Image

HealthState = Literal["ok", "black", "covered", "frozen", "out_of_focus"]

SAMPLE_EVERY_S = 1.0
HOLD_S = 30.0
MINIMUM_SAMPLES = 10
"""Samples within :data:`HOLD_S` that a judgement needs."""

DARK_MEAN = 16.0
"""Mean grey level of a black picture, 0..255; 16 is black in video range."""
FLAT_DEVIATION = 6.0
"""Standard deviation of grey levels below which a picture shows nothing."""
BLURRED_SHARE = 0.2
"""Share of the usual sharpness below which a picture is out of focus."""
USUAL_SAMPLES = 120
"""Healthy samples whose median is the usual sharpness."""

_WIDTH = 320


@dataclass(frozen=True, slots=True)
class PictureStatistics:
    """Statistics of one picture, scaled down to a width of 320 pixels in grey.

    Attributes:
        mean: mean grey level, 0..255.
        deviation: standard deviation of the grey levels.
        sharpness: variance of the Laplacian over the variance of the grey levels; without a unit.
        grey: the scaled picture (height, width) uint8.
    """

    mean: float
    deviation: float
    sharpness: float
    grey: npt.NDArray[np.uint8]


def measure(image: Image) -> PictureStatistics:
    """Return the statistics of a picture (height, width, 3) uint8, BGR."""
    height, width = image.shape[:2]
    scale = min(1.0, _WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    deviation = float(grey.std())
    laplacian = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return PictureStatistics(float(grey.mean()), deviation, laplacian / (deviation**2 + 1.0), grey)


def judge_picture(
    picture: PictureStatistics, before: PictureStatistics | None, usual_sharpness: float | None
) -> HealthState:
    """Return what one picture looks like.

    Args:
        picture: statistics of the picture.
        before: statistics of the sample before; None for the first.
        usual_sharpness: usual sharpness of the camera; None while it is unknown.
    """
    if picture.deviation < FLAT_DEVIATION:
        return "black" if picture.mean < DARK_MEAN else "covered"
    if before is not None and np.array_equal(picture.grey, before.grey):
        return "frozen"  # noise of the sensor or of the codec changes some pixel of every other picture
    if usual_sharpness is not None and picture.sharpness < BLURRED_SHARE * usual_sharpness:
        return "out_of_focus"
    return "ok"


class PictureHealth:
    """Health of one camera, from its samples. Not thread-safe."""

    def __init__(self) -> None:
        self._before: PictureStatistics | None = None
        self._sharpness: deque[float] = deque(maxlen=USUAL_SAMPLES)
        self._suspected: HealthState = "ok"
        self._since = 0.0
        self._count = 0
        self._state: HealthState = "ok"

    @property
    def state(self) -> HealthState:
        """Present state."""
        return self._state

    def sample(self, image: Image, now: float) -> HealthState:
        """Take a sample at monotonic time ``now`` in seconds, and return the state."""
        picture = measure(image)
        usual = median(self._sharpness) if len(self._sharpness) >= MINIMUM_SAMPLES else None
        seen = judge_picture(picture, self._before, usual)
        self._before = picture
        if seen == "ok":
            self._sharpness.append(picture.sharpness)
        if seen != self._suspected:
            self._suspected, self._since, self._count = seen, now, 0
        self._count += 1
        lasted = now - self._since >= HOLD_S and self._count >= MINIMUM_SAMPLES
        if seen == "ok" or lasted:
            self._state = seen
        return self._state
