"""Labels in YOLO format: one text file per picture, one object per line.

A line is ``class x y width height``: class index, then centre and size as fractions of the picture size
(Ultralytics, "Object Detection Datasets Overview"). The class of a whole picture is a box around it.

A line of a class and at least three points is a polygon ("Instance Segmentation Datasets Overview"); the box
around it is taken, and of segmenters and models for instances the polygon. A sixth number is a confidence, as
written for predictions; it is ignored. Repeated lines count once, boxes without an area are left out; each of
these is logged with its count.

Of a segmenter, the labels of a picture can also be a PNG file of class indices
(:mod:`edgeagent.datasets.class_masks`), in a folder without text files.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgeagent.datasets.class_names import ClassNames
from edgeagent.datasets.labels import POLYGON, WITHOUT_AREA, Labels, labels_of, log_remarks, masked
from edgeagent.datasets.picture_files import list_pictures, readable_files
from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.vision.detections import Detections

logger = logging.getLogger(__name__)

REPEATED = "repeated lines are counted once"
CONFIDENCE = "lines have a sixth number, which is taken for a confidence and ignored"
NUMBERS = 5
MASK_SUFFIX = ".png"
LEAST_POLYGON = 7


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Pictures with their label files.

    Attributes:
        pictures: paths of the pictures.
        label_files: paths of their label files; None for a picture without objects.
        names: names of the classes in the label files; None where these are the labels of the model.
    """

    pictures: tuple[Path, ...]
    label_files: tuple[Path | None, ...]
    names: ClassNames | None = None
    _read: dict[tuple[str, ...], list[Labels]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

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
        pictures = tuple(list_pictures(images))
        if not pictures:
            raise DataError(f"{printable(images)}: contains no pictures")
        return cls.pair(pictures, labels)

    @classmethod
    def pair(cls, pictures: Sequence[Path], labels: Path) -> LabelledPictures:
        """Pair given pictures with the label files of the same stem; see :meth:`find`.

        Raises:
            DataError: see :func:`label_files`, or the folder contains no label file of these pictures.
        """
        found, unpaired = label_files(pictures, labels)
        if not any(found):
            folder = printable(pictures[0].parent)
            raise DataError(f"{printable(labels)}: no label file matches a picture of {folder}")
        log_unpaired(unpaired)
        return cls(tuple(pictures), found)

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, labels: Sequence[str]) -> list[Labels]:
        """Return the labels of all pictures; what is left out or changed is logged once, with counts.

        Args:
            labels: names of the classes of the model, by class index.

        Raises:
            DataError: see :func:`read_labels`, or no class has the name of a label.
        """
        key = tuple(labels)
        if key not in self._read:
            remarks: Counter[str] = Counter()
            self._refuse_missing_masks()
            classes = len(labels) if self.names is None else len(self.names.names)
            found = [
                masked(path, picture, classes)
                if path is not None and path.suffix.lower() == MASK_SUFFIX
                else read_labels(path, classes, remarks)
                for picture, path in zip(self.pictures, self.label_files, strict=True)
            ]
            log_remarks(remarks, next((path.parent for path in self.label_files if path), None))
            self._read[key] = found if self.names is None else self.names.renumber(found, labels)
        return self._read[key]

    def _refuse_missing_masks(self) -> None:
        if not any(path is not None and path.suffix.lower() == MASK_SUFFIX for path in self.label_files):
            return
        for picture, path in zip(self.pictures, self.label_files, strict=True):
            if path is None:
                raise DataError(
                    f"{printable(picture)}: has no mask and others have one; it would count as background "
                    "(a mask of 255 says that nobody has labelled)"
                )

    def data_hash(self) -> str:
        """Return the SHA-256 (hexadecimal) over names and contents of pictures and label files, in order.

        Names of classes belong to it.
        """
        digest = hashlib.sha256()
        for name in self.names.names if self.names else ():
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        for picture, labels in zip(self.pictures, self.label_files, strict=True):
            for path in (picture, labels):
                if path is not None:
                    digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
                    digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def label_files(pictures: Sequence[Path], folder: Path) -> tuple[tuple[Path | None, ...], set[Path]]:
    """Return the label file of each picture, None without one, and the label files without a picture.

    Args:
        pictures: paths of pictures.
        folder: folder of the label files, each with the stem of its picture: text, or class masks, where no
            text file is of these pictures and they are elsewhere.

    Raises:
        DataError: the folder is missing, or two pictures or two label files have the same stem.
    """
    if not folder.is_dir():
        raise DataError(f"{printable(folder)}: no such folder")
    files: dict[str, Path] = {}
    listed = list(folder.iterdir())
    given, stems = readable_files(listed, (".txt",), folder), {picture.stem for picture in pictures}
    masks = all(path.stem not in stems for path in given)
    if masks and all(parent.resolve() != folder.resolve() for parent in {one.parent for one in pictures}):
        given += readable_files(listed, (MASK_SUFFIX,), folder)
    for path in given:
        _claim(files, path)
    owners: dict[str, Path] = {}
    for picture in pictures:
        if picture.stem in files:
            _claim(owners, picture)
    found = tuple(files.get(picture.stem) for picture in pictures)
    return found, set(files.values()).difference(found)


def log_unpaired(files: set[Path]) -> None:
    """Log label files that have no picture, as a warning."""
    if files:
        logger.warning("%d label files have no picture, the first is %s", len(files), printable(min(files)))


def read_labels(path: Path | None, classes: int, remarks: Counter[str] | None = None) -> Labels:
    """Read a label file.

    Args:
        path: label file; None for a picture without objects.
        classes: number of classes; a larger class index is an error.
        remarks: counts what is left out or changed, for :func:`edgeagent.datasets.labels.log_remarks`; None
            logs it for this file.

    Raises:
        DataError: the file is unreadable, or a line is no box or polygon in range.
    """
    if path is None:
        return labels_of(())
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{printable(path)}: cannot be read as labels ({error})") from error
    found: Counter[str] = Counter()
    rows = [
        _row(line, f"{printable(path)}:{number}", classes, found)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    unique = list(dict.fromkeys(rows))
    sized = [row for row in unique if row.box[3] > 0 and row.box[4] > 0]
    found[REPEATED] += len(rows) - len(unique)
    found[WITHOUT_AREA] += len(unique) - len(sized)
    if remarks is None:
        log_remarks(found, path)
    else:
        remarks.update(found)
    outlines = [row.points for row in sized] if any(row.points for row in sized) else []
    return labels_of([row.box for row in sized], outlines=outlines)


def label_text(found: Detections, width: int, height: int) -> bytes:
    """Return detections as the content of a label file; boxes are clipped to the picture.

    Of objects with masks the lines are polygons.

    Args:
        found: detections in picture pixels.
        width, height: size of the picture in pixels.
    """
    if found.masks:
        outlines = [np.clip(mask.outline() / (width, height), 0, 1).ravel().tolist() for mask in found.masks]
        return _lines(found.classes.tolist(), outlines)
    size = np.array([width, height, width, height], np.float32)
    relative = np.clip(found.boxes / size, 0, 1)
    centre, extent = (relative[:, :2] + relative[:, 2:]) / 2, relative[:, 2:] - relative[:, :2]
    return _lines(found.classes.tolist(), np.concatenate([centre, extent], axis=1).tolist())


def _lines(classes: Sequence[int], rows: Sequence[Sequence[float]]) -> bytes:
    lines = (
        f"{kind} {' '.join(f'{value:.6f}' for value in row)}\n"
        for kind, row in zip(classes, rows, strict=True)
    )
    return "".join(lines).encode()


def whole_picture_text(index: int) -> bytes:
    """Return the class of a whole picture as the content of a label file: a box around it."""
    return f"{index} 0.5 0.5 1 1\n".encode()


def _claim(owners: dict[str, Path], path: Path) -> None:
    """Record the only file of a stem.

    Raises:
        DataError: another file has the same stem.
    """
    first = owners.setdefault(path.stem, path)
    if first != path:
        raise DataError(
            f"{printable(first)} and {printable(path)}: which labels belong to which picture? rename one"
        )


class _Row(NamedTuple):
    """Class, centre x, centre y, width and height, and the points x y x y ... of a polygon."""

    box: tuple[float, ...]
    points: tuple[float, ...]


def _row(line: str, where: str, classes: int, remarks: Counter[str]) -> _Row:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    corners: list[float] = []
    if len(row) == NUMBERS + 1:
        remarks[CONFIDENCE] += 1
        row = row[:NUMBERS]
    elif len(row) >= LEAST_POLYGON and len(row) % 2 == 1:
        remarks[POLYGON] += 1
        corners = row[1:]
        row = [row[0], *_around(corners)]
    if len(row) != NUMBERS:
        raise DataError(f"{where}: expected `class x y width height`, got {line.strip()[:60]!r}")
    if not row[0].is_integer() or not 0 <= row[0] < classes:
        raise DataError(f"{where}: class {row[0]:g} is not one of the {classes} labels (0..{classes - 1})")
    if not all(-0.01 <= value <= 1.01 for value in (*row[1:], *corners)):
        raise DataError(
            f"{where}: positions and sizes are fractions of the picture size, 0..1; got {line.strip()[:60]!r}"
        )
    return _Row(tuple(row), tuple(corners))


def _around(points: Sequence[float]) -> tuple[float, float, float, float]:
    """Return centre and size of the box around points x y x y ..."""
    x, y = points[0::2], points[1::2]
    return (min(x) + max(x)) / 2, (min(y) + max(y)) / 2, max(x) - min(x), max(y) - min(y)
