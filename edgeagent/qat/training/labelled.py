"""Labels of training pictures: search for label files, and boxes in the coordinates of the input.

Labels are in YOLO format (:mod:`edgeagent.datasets.yolo_labels`). A picture without a label file is
unlabelled; a picture with an empty file is labelled and has no object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import default_collate

from edgeagent.datasets.labels import Labels, log_remarks
from edgeagent.datasets.picture_files import readable_files
from edgeagent.datasets.yolo_labels import read_labels
from edgeagent.errors import DataError
from edgeagent.files.naming import printable
from edgeagent.imaging.letterbox import Fit

FloatArray = npt.NDArray[np.float32]
MINIMUM_VISIBLE = 0.2  # share of a box within the picture
MINIMUM_SIDE = 2.0  # input pixels


class TrainingSample(NamedTuple):
    """One training picture.

    Attributes:
        picture: (3, height, width) float32, normalized for the network.
        boxes: (n, 5) float32: class, x1, y1, x2, y2 in input pixels.
        labelled: whether all objects of the picture are labelled; otherwise ``boxes`` is empty.
    """

    picture: Tensor
    boxes: Tensor
    labelled: bool


class Batch(NamedTuple):
    """Samples of one step.

    Attributes:
        pictures: (b, 3, height, width) float32.
        boxes: boxes of each picture, as in :class:`TrainingSample`.
        labelled: whether each picture is labelled.
    """

    pictures: Tensor
    boxes: list[Tensor]
    labelled: list[bool]


def collate(samples: Sequence[TrainingSample]) -> Batch:
    """Join samples into a batch."""
    pictures = default_collate([sample.picture for sample in samples])
    return Batch(pictures, [sample.boxes for sample in samples], [sample.labelled for sample in samples])


def find_labels(pictures: Sequence[Path], folder: Path, classes: int) -> dict[Path, Labels]:
    """Return the labels of the pictures that have a label file below ``folder``.

    Args:
        pictures: pictures from :func:`edgeagent.qat.pictures.finding.find_pictures`.
        folder: folder searched recursively for ``<stem of a picture>.txt``.
        classes: number of classes of the model.

    Raises:
        DataError: the folder is missing or has no labels of these pictures, a file cannot be read, or two
            pictures or two files have the same stem.
    """
    if not folder.is_dir():
        raise DataError(f"{printable(folder)}: no such folder of labels")
    files: dict[str, list[Path]] = {}
    for path in readable_files(folder.rglob("*"), (".txt",), folder):
        files.setdefault(path.stem, []).append(path)
    owners: dict[str, Path] = {}
    labels = {}
    remarks: Counter[str] = Counter()
    for picture in dict.fromkeys(pictures):
        found = files.get(picture.stem, [])
        if not found:
            continue
        clash = found if len(found) > 1 else [owners.setdefault(picture.stem, picture), picture]
        if clash[0] != clash[1]:
            first, second = map(printable, clash[:2])
            raise DataError(f"{first} and {second}: which labels belong to which picture? rename one")
        labels[picture] = read_labels(found[0], classes, remarks)
    if not labels:
        raise DataError(
            f"{printable(folder)}: no labels of the training pictures; name each as its picture, with .txt"
        )
    log_remarks(remarks, folder)
    return labels


def mirrored(labels: Labels) -> Labels:
    """Return the labels of the horizontally flipped picture."""
    boxes = labels.boxes.copy()
    boxes[:, 0] = 1 - boxes[:, 0]
    return Labels(labels.classes, boxes)


def placed(labels: Labels, fit: Fit) -> FloatArray:
    """Return the labelled boxes in the input: (n, 5) float32 class, x1, y1, x2, y2 in input pixels.

    Boxes are clipped to the picture; boxes of which too little remains are dropped.
    """
    centre, half = labels.boxes[:, :2], labels.boxes[:, 2:] / 2
    whole = np.concatenate([centre - half, centre + half], 1)
    cut = np.clip(whole, 0, 1)
    visible = _area(cut) >= MINIMUM_VISIBLE * _area(whole)
    height, width = fit.source
    boxes = fit.to_input(cut * np.array([width, height, width, height], np.float32))
    large = np.min(boxes[:, 2:] - boxes[:, :2], axis=1) >= MINIMUM_SIDE
    rows: FloatArray = np.concatenate([labels.classes[:, None].astype(np.float32), boxes], 1)
    kept: FloatArray = rows[visible & large]
    return kept


def _area(boxes: FloatArray) -> FloatArray:
    area: FloatArray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area
