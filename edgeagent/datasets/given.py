"""Labelled pictures as a user names them: a data set, or a folder of pictures and one of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeagent.datasets.dataset import SPLITS, Dataset
from edgeagent.datasets.labels import LabelledData
from edgeagent.datasets.picture_files import check_pictures
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import ConfigurationError


@dataclass(frozen=True)
class GivenData:
    """What a user gave; messages name the values by the options of the command line.

    Attributes:
        dataset: file or folder, see :mod:`edgeagent.datasets.dataset`.
        split: one of :data:`edgeagent.datasets.dataset.SPLITS`; None takes the default of the purpose.
        dataset_images: folder of the pictures of a COCO JSON file; None looks for it.
        images: folder of pictures, instead of ``dataset``.
        labels: folder of their YOLO labels.
        prefix: start of the names of the options of ``images`` and ``labels``.
    """

    dataset: Path | None = None
    split: str | None = None
    dataset_images: Path | None = None
    images: Path | None = None
    labels: Path | None = None
    prefix: str = "--"

    def open(self, default: str = "val") -> LabelledData | None:
        """Return the labelled pictures; None where nothing was given.

        Args:
            default: split to take where none was asked for.

        Raises:
            ConfigurationError: what was given does not go together.
            DataError: it cannot be used.
        """
        options = f"{self.prefix}images and {self.prefix}labels"
        if self.dataset is None:
            if self.split is not None or self.dataset_images is not None:
                raise ConfigurationError("--split and --dataset-images go with --dataset")
            if (self.images is None) != (self.labels is None):
                raise ConfigurationError(f"{options} belong together: give both or none")
            if self.images is None or self.labels is None:
                return None
            return LabelledPictures.find(self.images, self.labels)
        if self.images is not None or self.labels is not None:
            raise ConfigurationError(f"give a data set or {options}, not both")
        if self.split is not None and self.split not in SPLITS:
            raise ConfigurationError(f"--split: expected one of {', '.join(SPLITS)}, got {self.split!r}")
        return Dataset.find(self.dataset, self.dataset_images).open(self.split, default)


def validation_data(
    dataset: Path | None, dataset_images: Path | None, images: Path | None, labels: Path | None
) -> GivenData:
    """Return what a user gave to measure on, beside pictures to train on; ``--val-images`` and so on.

    Args:
        dataset: data set to measure on.
        dataset_images: folder of the pictures of COCO JSON files, also of those to train on.
        images: folder of pictures.
        labels: folder of their labels.
    """
    own = None if dataset is None else dataset_images
    return GivenData(dataset, None, own, images, labels, "--val-")


def check_data(
    data: LabelledData, labels: Sequence[str], report: Callable[[int], None] = lambda done: None
) -> None:
    """Read all labels and pictures once, so that a mistake is found before work begins.

    Args:
        data: labelled pictures.
        labels: labels of the model.
        report: called with the number of pictures done.

    Raises:
        DataError: a label or a picture cannot be used.
    """
    data.read(labels)
    check_pictures(data.pictures, report)
