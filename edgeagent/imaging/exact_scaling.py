"""Bilinear scaling with the same result on every machine.

OpenCV scales with the instructions of the processor: on arm64 one value of five differs by 1 from x86. An
engine that is compared with reference outputs must have the input of which they were computed, so golden
pictures are scaled here, in the fixed-point arithmetic of OpenCV without acceleration (``resize.cpp``:
weights of 11 bits, rows shifted by 4, ``(... + 2) >> 2``), which is what OpenCV computes on x86.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgeagent.imaging.frame import Image

Integers = npt.NDArray[np.int32]

_ONE = 2048


def scale_exactly(picture: Image, size: tuple[int, int]) -> Image:
    """Scale a picture.

    Args:
        picture: (h, w, channels) uint8.
        size: (width, height) in pixels, as OpenCV orders them.

    Returns:
        (height, width, channels) uint8.
    """
    left, right, left_weight, right_weight = _neighbours(picture.shape[1], size[0], clamp=True)
    upper, lower, upper_weight, lower_weight = _neighbours(picture.shape[0], size[1], clamp=False)
    values = picture.astype(np.int32)
    rows = values[:, left] * left_weight[:, None] + values[:, right] * right_weight[:, None]
    rows >>= 4
    above = (upper_weight[:, None, None] * rows[upper]) >> 16
    below = (lower_weight[:, None, None] * rows[lower]) >> 16
    scaled: Image = ((above + below + 2) >> 2).clip(0, 255).astype(np.uint8)
    return scaled


def _neighbours(source: int, target: int, *, clamp: bool) -> tuple[Integers, Integers, Integers, Integers]:
    """Return the two source pixels of each target pixel along one axis, and their weights of 11 bits.

    At the ends of the axis both pixels are the same one; OpenCV gives the first the whole weight along rows
    (``clamp``), and shares it along columns, which rounds differently.
    """
    step = 1.0 / (target / source)
    place = ((np.arange(target) + 0.5) * step - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int32)
    share = place - first.astype(np.float32)
    if clamp:
        share[(first < 0) | (first >= source - 1)] = 0
    weight = np.rint(share * np.float32(_ONE)).astype(np.int32)
    rest = np.rint((np.float32(1) - share) * np.float32(_ONE)).astype(np.int32)
    return first.clip(0, source - 1), (first + 1).clip(0, source - 1), rest, weight
