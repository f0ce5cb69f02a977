"""Letterbox arithmetic: placement of a picture in a model input, and boxes converted between the two.

Convention of YOLOX: ratio r = min(W / w, H / h), scaled size int(w * r) x int(h * r). As the size is cut to
whole pixels, the scale is that of each axis: scaled size / size. A stretched picture fills the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]
"""(n, 4) float32: x1, y1, x2, y2."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Placement of a picture in the model input.

    Attributes:
        source: (height, width) of the picture in pixels.
        size: (height, width) of the scaled picture in the input.
        offset: (top, left) of the scaled picture in the input.
        scale: (vertical, horizontal), input pixels per source pixel.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int]
    scale: tuple[float, float]

    def to_source(self, boxes: Boxes) -> tuple[Boxes, npt.NDArray[np.bool_]]:
        """Convert boxes (n, 4) x1 y1 x2 y2 from input pixels to picture pixels, clipped to the picture.

        Returns:
            The boxes (n, 4) float32, and a mask (n,) bool of those with an area inside the picture.
        """
        (top, left), (vertical, horizontal), (height, width) = self.offset, self.scale, self.source
        moved = boxes - np.float32([left, top, left, top])  # type: ignore[arg-type]
        moved /= np.float32([horizontal, vertical, horizontal, vertical])  # type: ignore[arg-type]
        np.clip(moved[:, 0::2], 0, width, out=moved[:, 0::2])
        np.clip(moved[:, 1::2], 0, height, out=moved[:, 1::2])
        return moved, (moved[:, 2:] > moved[:, :2]).all(axis=1)

    def to_input(self, boxes: Boxes) -> Boxes:
        """Convert boxes (n, 4) x1 y1 x2 y2 from picture pixels to input pixels."""
        (top, left), (vertical, horizontal) = self.offset, self.scale
        factor = np.array([horizontal, vertical, horizontal, vertical], np.float32)
        return boxes * factor + np.array([left, top, left, top], np.float32)


def fit_size(
    source: tuple[int, int], target: tuple[int, int], anchor: Literal["top-left", "centre"] | None
) -> Fit:
    """Return the placement of a picture of size ``source`` in an input of size ``target``.

    Args:
        source: (height, width) of the picture in pixels.
        target: (height, width) of the input in pixels.
        anchor: position of the scaled picture; None stretches it to the whole input.
    """
    vertical, horizontal = target[0] / source[0], target[1] / source[1]
    if anchor is None:
        return Fit(source, target, (0, 0), (vertical, horizontal))
    ratio = min(vertical, horizontal)
    size = (max(1, int(source[0] * ratio)), max(1, int(source[1] * ratio)))
    centred = anchor == "centre"
    offset = ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2) if centred else (0, 0)
    return Fit(source, size, offset, (size[0] / source[0], size[1] / source[1]))
