"""Size of a picture as it is displayed, compared with the one for which boxes in pixels were drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.picture import MAX_PIXELS
from edgeagent.imaging.picture_size import picture_size

Size = tuple[float, float]
"""Width and height in pixels."""

SAME_SHAPE = 0.02
"""Largest relative difference of the ratios of width to height of a picture that was scaled."""
_EXIF = (b"Exif\0\0", b"eXIf", b"EXIF")
"""Marks of an EXIF block in JPEG, PNG and WebP."""
_DECODINGS = (cv2.IMREAD_REDUCED_GRAYSCALE_8, cv2.IMREAD_GRAYSCALE)
"""The quicker first; it makes a nearly square picture square."""


def displayed_size(path: Path) -> Size | None:
    """Return the size of a picture with its EXIF orientation applied, from its header where that is enough.

    None where the file cannot be read or its header is of an unknown format; reading the picture says why.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    size = picture_size(data)
    if size is None or min(size) < 1:
        return None
    width, height = size
    if width == height or width * height > MAX_PIXELS or not any(mark in data for mark in _EXIF):
        return size
    for decoding in _DECODINGS:
        try:
            found = cv2.imdecode(np.frombuffer(data, np.uint8), decoding)
        except cv2.error:  # reading the picture says why
            return size
        if found is not None and found.shape[0] != found.shape[1]:
            return (height, width) if (found.shape[0] > found.shape[1]) != (height > width) else size
    return size


def is_scaled(path: Path, stated: Size, where: str) -> bool:
    """Return whether a picture has another size than stated, but the same shape.

    Args:
        path: of the picture.
        stated: size for which its boxes were drawn.
        where: file that states it, for messages.

    Raises:
        DataError: the picture has another shape, so that its boxes have no place.
    """
    real = displayed_size(path)
    if real is None or real == stated:
        return False
    if abs(real[0] * stated[1] / (real[1] * stated[0]) - 1) <= SAME_SHAPE:
        return True
    name, sizes = printable(path), f"{real[0]:g} x {real[1]:g} pixels, {where} states {_text(stated)}"
    if (real[1], real[0]) == stated:
        raise DataError(
            f"{name}: is displayed with {sizes}: its EXIF orientation turns it; remove that from the picture "
            "if the boxes were drawn without it"
        )
    raise DataError(f"{name}: has {sizes}: boxes cannot be placed; give the picture that was labelled")


def _text(size: Size) -> str:
    return f"{size[0]:g} x {size[1]:g}"
