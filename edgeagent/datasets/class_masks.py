"""Class masks: PNG files whose pixels are class indices, labels of a segmenter.

A grey picture of 1 to 16 bits or a palette picture, of the size of the labelled picture as it is shown; the
colours of a palette mean nothing. 255 is a pixel without a label, as in Pascal VOC ("The VOC2012 Development
Kit", 3.5) and in the files of training indices of Cityscapes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeagent.datasets.picture_shape import displayed_size
from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.picture import MAX_PIXELS
from edgeagent.vision.class_map import UNLABELLED, ClassIndices

VOID = 255
"""Value of a pixel without a label."""
BIT_DEPTH = 24
"""Place of the bit depth in the header of a PNG file."""
GREY = ("1", "L", "P", "I;16", "I")
"""Modes of Pillow in which a pixel is one number."""


@dataclass(frozen=True, slots=True)
class ClassMask:
    """Labelled class of each pixel of a picture, in a file.

    Attributes:
        path: PNG file.
        classes: indices that occur in it.
        moved: index of the label of the model for each class of the file, -1 for none; None where the classes
            of the file are the labels of the model.
    """

    path: Path
    classes: tuple[int, ...]
    moved: tuple[int, ...] | None = None

    def read(self) -> ClassIndices:
        """Return the class of each pixel, (height, width) uint16; :data:`UNLABELLED` where none is known.

        A class that the model does not have is not known.

        Raises:
            DataError: the file cannot be read, or a pixel is not one number.
        """
        found = _decode(self.path)
        if self.moved is None:
            return found
        table = np.full(UNLABELLED + 1, UNLABELLED, np.uint16)
        for index, label in enumerate(self.moved):
            table[index] = UNLABELLED if label < 0 else label
        return table[found]


def open_mask(path: Path, picture: Path, classes: int) -> ClassMask:
    """Return a mask after reading it once.

    Args:
        path: PNG file.
        picture: picture whose labels it has.
        classes: number of classes.

    Raises:
        DataError: the mask cannot be read, has another size than the picture, or a larger class.
    """
    found = _decode(path)
    height, width = found.shape
    size = displayed_size(picture)
    name = printable(path)
    if size is not None and size != (width, height):
        raise DataError(
            f"{name}: is {width} x {height} pixels and its picture {printable(picture)} "
            f"{size[0]:g} x {size[1]:g}; a mask has the size of its picture: make it again from the "
            "labels, or scale it without interpolation (nearest neighbour)"
        )
    present = np.flatnonzero(np.bincount(found.ravel(), minlength=UNLABELLED + 1)[:UNLABELLED]).tolist()
    if present and present[-1] >= classes:
        row, column = np.argwhere(found == present[-1])[0]
        raise DataError(
            f"{name}: the pixel in row {row}, column {column} has the class {present[-1]}, and there are "
            f"{classes} classes (0 to {classes - 1}; {VOID} is a pixel without a label)"
        )
    return ClassMask(path, tuple(present))


def _decode(path: Path) -> ClassIndices:
    name = printable(path)
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise DataError(f"{name}: class masks are read by Pillow: pip install pillow") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with path.open("rb") as file, Image.open(file, formats=("PNG",)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(f"{name}: has more than {MAX_PIXELS // 1_000_000} million pixels")
                if image.mode not in GREY:
                    raise DataError(
                        f"{name}: has {len(image.getbands())} numbers for each pixel, and a class mask one "
                        "(a grey or palette picture of class indices)"
                    )
                file.seek(BIT_DEPTH)
                depth = file.read(1)[0]
                found = np.asarray(image).astype(np.int64)
                if image.mode == "L" and depth < 8:  # Pillow spreads 2 and 4 bits over 8
                    found //= 255 // (2**depth - 1)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{name}: cannot be read as a class mask ({error})") from error
    if found.min(initial=0) < 0 or found.max(initial=0) >= UNLABELLED:
        raise DataError(f"{name}: has a class above {UNLABELLED - 1}")
    found[found == VOID] = UNLABELLED
    return found.astype(np.uint16)
