"""Picture files, read into BGR arrays.

``cv2.imread`` is not used: it crashes the interpreter on a file name that is not valid UTF-8. OpenCV also
decodes a truncated JPEG without an error and fills the rest with grey; such a file is an error here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np

from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture_size import picture_size

PICTURE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded: 300 MB as BGR."""

_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
# A marker; stuffed zeros, restart markers and fill bytes belong to the entropy-coded data (ITU-T T.81, B.1).
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_JPEG_TEM, _JPEG_SOI, _JPEG_EOI = 0x01, 0xD8, 0xD9


def is_truncated(data: bytes) -> bool:
    """Return whether a JPEG or PNG file ends before its end marker; False for every other format."""
    if data.startswith(_PNG_START):
        return _PNG_END not in data
    if not data.startswith(_JPEG_START):
        return False
    position = len(_JPEG_START)
    while marker := _JPEG_MARKER.search(data, position):
        position = marker.end()
        code = marker.group(1)[0]
        if code == _JPEG_EOI:
            return False
        if code not in (_JPEG_TEM, _JPEG_SOI):  # these have no length; a thumbnail is inside a segment
            position += int.from_bytes(data[position : position + 2], "big")
    return True


def read_picture(path: str | os.PathLike[str]) -> Image:
    """Read a picture file.

    Greyscale, palette, 16-bit and transparent pictures become 8-bit BGR (alpha is dropped). The EXIF
    orientation is applied, as OpenCV does by default, so width and height may be swapped relative to the
    file header; labels must refer to the picture as viewers display it.

    Args:
        path: path of the file; need not be valid UTF-8.

    Returns:
        (height, width, 3) uint8, BGR.

    Raises:
        DataError: the file is missing, unreadable, truncated, above :data:`MAX_PIXELS` or not a picture.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"picture {printable(path)} cannot be read: {error.strerror}") from error
    return decode_picture(data, printable(path))


def decode_picture(data: bytes, name: str) -> Image:
    """Decode the content of a picture file, as :func:`read_picture` does.

    Args:
        data: content of the file.
        name: name of the picture in messages.

    Returns:
        (height, width, 3) uint8, BGR.

    Raises:
        DataError: the content is empty, truncated, above :data:`MAX_PIXELS` or not a picture.
    """
    if not data:
        raise DataError(f"picture {name} is empty")
    if is_truncated(data):
        raise DataError(f"picture {name} is truncated: its end is missing; copy it again")
    size = picture_size(data)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"picture {name} has {size[0]} x {size[1]} pixels, more than the limit of "
            f"{MAX_PIXELS // 1_000_000} million; make it smaller"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"picture {name} cannot be decoded: {error.err}") from error
    if image is None:
        raise DataError(f"picture {name} cannot be decoded: damaged, or of an unsupported format")
    return np.asarray(image, np.uint8)
