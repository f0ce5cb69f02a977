"""Health of a camera's pictures: black, covered, frozen or out of focus, within a minute.

Pictures are judged by cheap statistics of samples about one second apart. A fault is reported when all
samples of :data:`HOLD_S` seconds agree, and is over with the first sample that disagrees.

A dark scene is not a fault: at night a camera shows little more than the noise of its sensor, which a camera
without a signal does not have. The focus is judged in light only, as noise looks sharp.
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

BLACK_MEAN = 16.0
"""Mean grey level of a black picture, 0..255; 16 is black in video range."""
DARK_MEAN = 40.0
"""Mean grey level below which a scene is dark."""
FLAT_DEVIATION, FLAT_DARK_DEVIATION = 6.0, 2.0
"""Standard deviations of grey levels below which a picture, or a dark one, shows nothing."""
NOISE = 3.0
"""Change between two samples from which a dark picture is alive: root mean square of the grey levels."""
BLURRED_SHARE = 0.2
"""Share of the usual sharpness below which a picture is out of focus."""
USUAL_SAMPLES = 120
"""Healthy samples whose median is the sharpness of a period."""
USUAL_PERIODS = 720
"""Periods, a day of samples, of whose sharpnesses a low one is usual: day and night differ."""
USUAL_QUANTILE = 0.1

_WIDTH = 320


@dataclass(frozen=True, slots=True)
class PictureStatistics:
    """Statistics of one picture, scaled down to a width of 320 pixels in grey.

    Attributes:
        mean: mean grey level, 0..255.
        deviation: standard deviation of the grey levels.
        sharpness: variance of the Laplacian over the variance of the grey levels; without a unit.
        grey: the scaled picture (height, width) uint8.
        pixels: single pixels of the picture (n, m) uint8 in grey, with their noise.
    """

    mean: float
    deviation: float
    sharpness: float
    grey: npt.NDArray[np.uint8]
    pixels: npt.NDArray[np.uint8]

    @property
    def dark(self) -> bool:
        """Whether the scene is dark."""
        return self.mean < DARK_MEAN

    @property
    def flat(self) -> bool:
        """Whether the picture shows nothing."""
        return self.deviation < (FLAT_DARK_DEVIATION if self.dark else FLAT_DEVIATION)


def measure(image: Image) -> PictureStatistics:
    """Return the statistics of a picture (height, width, 3) uint8, BGR."""
    height, width = image.shape[:2]
    scale = min(1.0, _WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = _grey(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    pixels = _grey(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST))
    deviation = float(grey.std())
    laplacian = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return PictureStatistics(float(grey.mean()), deviation, laplacian / (deviation**2 + 1.0), grey, pixels)


def change(picture: PictureStatistics, before: PictureStatistics) -> float:
    """Return the root mean square of the change of single pixels, in grey levels; infinite at a new size."""
    if picture.pixels.shape != before.pixels.shape:
        return float("inf")
    difference = cv2.absdiff(picture.pixels, before.pixels).astype(np.float32)
    return float(np.sqrt(np.mean(difference**2)))


def judge_picture(
    picture: PictureStatistics, before: PictureStatistics | None, usual_sharpness: float | None
) -> HealthState:
    """Return what one picture looks like.

    Args:
        picture: statistics of the picture.
        before: statistics of the sample before; None for the first.
        usual_sharpness: usual sharpness of the camera; None while it is unknown.
    """
    if picture.flat:
        if picture.dark and before is not None and change(picture, before) >= NOISE:
            return "ok"
        return "black" if picture.mean < BLACK_MEAN else "covered"
    if before is not None and np.array_equal(picture.grey, before.grey):
        return "frozen"  # noise of the sensor or of the codec changes some pixel of every other picture
    if picture.dark or usual_sharpness is None:
        return "ok"
    return "out_of_focus" if picture.sharpness < BLURRED_SHARE * usual_sharpness else "ok"


class UsualSharpness:
    """Sharpness of a camera's healthy pictures in light, of the last minutes and of the last day."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=USUAL_SAMPLES)
        self._periods: deque[float] = deque(maxlen=USUAL_PERIODS)
        self._count = 0

    @property
    def value(self) -> float | None:
        """Usual sharpness, the lower one of both times; None with too few samples."""
        if len(self._recent) < MINIMUM_SAMPLES:
            return None
        recent = median(self._recent)
        return min(recent, float(np.quantile(self._periods, USUAL_QUANTILE))) if self._periods else recent

    def record(self, sharpness: float) -> None:
        """Add a sample."""
        self._recent.append(sharpness)
        self._count += 1
        if self._count % USUAL_SAMPLES == 0:
            self._periods.append(median(self._recent))


class PictureHealth:
    """Health of one camera, from its samples. Not thread-safe."""

    def __init__(self) -> None:
        self._before: PictureStatistics | None = None
        self._usual = UsualSharpness()
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
        seen = judge_picture(picture, self._before, self._usual.value)
        self._before = picture
        if seen == "ok" and not picture.dark:
            self._usual.record(picture.sharpness)
        if seen != self._suspected:
            self._suspected, self._since, self._count = seen, now, 0
        self._count += 1
        lasted = now - self._since >= HOLD_S and self._count >= MINIMUM_SAMPLES
        if seen == "ok" or lasted:
            self._state = seen
        return self._state


def _grey(image: npt.NDArray[np.uint8] | cv2.typing.MatLike) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
