"""Labels of pictures, and remarks on what a reader of labels left out or changed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edgeagent.datasets.class_masks import ClassMask, open_mask
from edgeagent.files.naming import printable

logger = logging.getLogger(__name__)

WITHOUT_AREA = "boxes without an area are left out"
POLYGON = "objects have polygons, of which a detector takes the box around"


@dataclass(frozen=True, slots=True)
class Labels:
    """Labelled objects of one picture.

    Attributes:
        classes: (n,) int32, class index.
        boxes: (n, 4) float32, centre x, centre y, width, height as fractions of the picture size.
        crowds: regions in which objects of a class are not labelled one by one (``iscrowd`` of COCO):
            detections there are neither right nor wrong, and nothing is trained on them; None without any.
        whole: whether the only class is that of the whole picture, which its box covers.
        outlines: corners (k, 2) float32 of each object, x and y as fractions of the picture size; None for an
            object of which only the box is known. Empty where no object has one.
        mask: class of each pixel; there are no objects then.
    """

    classes: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.float32]
    crowds: Labels | None = None
    whole: bool = False
    outlines: tuple[npt.NDArray[np.float32] | None, ...] = ()
    mask: ClassMask | None = None


class LabelledData(Protocol):
    """Pictures of a data set with their labels, in any layout."""

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Paths of the pictures."""

    def __len__(self) -> int:
        """Return the number of pictures."""

    def read(self, labels: Sequence[str]) -> list[Labels]:
        """Return the labels of all pictures; what is left out or changed is logged once, with counts.

        Args:
            labels: names of the classes of the model, by class index; those of the result are of this list.

        Raises:
            DataError: a label cannot be used.
        """

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over names and contents of pictures and labels."""


def labels_of(
    rows: Sequence[Sequence[float]],
    crowds: Sequence[Sequence[float]] = (),
    outlines: Sequence[Sequence[float]] = (),
) -> Labels:
    """Return labels from rows of class, centre x, centre y, width, height.

    Args:
        rows: of all objects.
        crowds: rows of regions in which objects are not labelled one by one.
        outlines: points x y x y ... of each object, empty for one without; empty where no object has some.
    """
    table = np.array(rows, np.float32).reshape(-1, 5)
    corners = tuple(np.array(one, np.float32).reshape(-1, 2) if len(one) else None for one in outlines)
    around = labels_of(crowds) if len(crowds) else None
    return Labels(table[:, 0].astype(np.int32), table[:, 1:], around, outlines=corners)


def whole_picture(index: int) -> Labels:
    """Return the labels of a picture of one class."""
    return Labels(np.array([index], np.int32), np.array([[0.5, 0.5, 1.0, 1.0]], np.float32), whole=True)


def masked(path: Path, picture: Path, classes: int) -> Labels:
    """Return the labels of a picture that has a class mask.

    Args:
        path: PNG file of class indices.
        picture: picture file.
        classes: number of classes.

    Raises:
        DataError: see :func:`edgeagent.datasets.class_masks.open_mask`.
    """
    return replace(labels_of(()), mask=open_mask(path, picture, classes))


def log_remarks(remarks: Counter[str], place: Path | None) -> None:
    """Log each remark on labels with its count, as a warning.

    Args:
        remarks: count of each remark.
        place: file or folder of the labels.
    """
    for remark, count in remarks.items():
        if count:
            logger.warning("%s: %d %s", printable(place or Path()), count, remark)
