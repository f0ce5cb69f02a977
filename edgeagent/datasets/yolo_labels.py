"""Labels in YOLO format: one text file per picture, one object per line.

A line is ``class x y width height``: class index, then centre and size as fractions of the picture size
(Ultralytics, "Object Detection Datasets Overview").
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.picture import PICTURE_SUFFIXES
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labelled objects of one picture.

    Attributes:
        classes: (n,) int32, class index.
        boxes: (n, 4) float32, centre x, centre y, width, height as fractions of the picture size.
    """

    classes: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Pictures with their label files.

    Attributes:
        pictures: paths of the pictures.
        label_files: paths of their label files; None for a picture without objects.
    """

    pictures: tuple[Path, ...]
    label_files: tuple[Path | None, ...]

    @classmethod
    def find(cls, images: Path, labels: Path) -> LabelledPictures:
        """Pair pictures and label files of the same stem, sorted by name.

        A picture without a label file has no objects. Label files without a picture are logged as a warning.

        Args:
            images: folder of the pictures.
            labels: folder of the label files.

        Raises:
            DataError: a folder is missing, there are no pictures, or no picture has a label file.
        """
        if not images.is_dir():
            raise DataError(f"{printable(images)}: no such folder")
        pictures = tuple(sorted(p for p in images.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES))
        if not pictures:
            raise DataError(f"{printable(images)}: contains no pictures")
        return cls.pair(pictures, labels)

    @classmethod
    def pair(cls, pictures: Sequence[Path], labels: Path) -> LabelledPictures:
        """Pair given pictures with the label files of the same stem; see :meth:`find`.

        Raises:
            DataError: the folder is missing, or contains no label file of these pictures.
        """
        if not labels.is_dir():
            raise DataError(f"{printable(labels)}: no such folder")
        files = {path.stem: path for path in labels.glob("*.txt")}
        found = tuple(files.get(picture.stem) for picture in pictures)
        if not any(found):
            folder = printable(pictures[0].parent)
            raise DataError(f"{printable(labels)}: no label file matches a picture of {folder}")
        unpaired = set(files.values()).difference(found)
        if unpaired:
            first = printable(min(unpaired))
            logger.warning("%d label files have no picture, the first is %s", len(unpaired), first)
        return cls(tuple(pictures), found)

    def __len__(self) -> int:
        return len(self.pictures)

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over names and contents of pictures and label files, in order."""
        digest = hashlib.sha256()
        for picture, labels in zip(self.pictures, self.label_files, strict=True):
            for path in (picture, labels):
                if path is not None:
                    digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def read_labels(path: Path | None, classes: int) -> Labels:
    """Read a label file.

    Args:
        path: label file; None for a picture without objects.
        classes: number of classes; a larger class index is an error.

    Raises:
        DataError: the file is unreadable, or a line is not five numbers in range.
    """
    if path is None:
        return Labels(np.zeros(0, np.int32), np.zeros((0, 4), np.float32))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{printable(path)}: cannot be read as labels ({error})") from error
    rows = [
        _row(line, f"{printable(path)}:{number}", classes)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Labels(table[:, 0].astype(np.int32), table[:, 1:])


def label_text(found: Detections, width: int, height: int) -> bytes:
    """Return detections as the content of a label file; boxes are clipped to the picture.

    Args:
        found: detections in picture pixels.
        width, height: size of the picture in pixels.
    """
    size = np.array([width, height, width, height], np.float32)
    relative = np.clip(found.boxes / size, 0, 1)
    centre, extent = (relative[:, :2] + relative[:, 2:]) / 2, relative[:, 2:] - relative[:, :2]
    rows = np.concatenate([centre, extent], axis=1).tolist()
    lines = (
        f"{kind} {' '.join(f'{value:.6f}' for value in row)}\n"
        for kind, row in zip(found.classes.tolist(), rows, strict=True)
    )
    return "".join(lines).encode()


def _row(line: str, where: str, classes: int) -> Sequence[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    if len(row) != 5:
        raise DataError(f"{where}: expected `class x y width height`, got {line.strip()[:60]!r}")
    if not row[0].is_integer() or not 0 <= row[0] < classes:
        raise DataError(f"{where}: class {row[0]:g} is not one of the {classes} labels (0..{classes - 1})")
    if not all(-0.01 <= value <= 1.01 for value in row[1:]):
        raise DataError(
            f"{where}: positions and sizes are fractions of the picture size, 0..1; got {line.strip()[:60]!r}"
        )
    return row
