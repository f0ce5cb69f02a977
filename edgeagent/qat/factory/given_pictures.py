"""Pictures that a user gave to train, calibrate and measure on: folders, a data set, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.given import GivenData
from edgeagent.datasets.labels import LabelledData, Labels
from edgeagent.errors import ConfigurationError
from edgeagent.qat.pictures.finding import find_pictures
from edgeagent.qat.training.labelled import find_labels


@dataclass(frozen=True)
class GivenPictures:
    """What a user gave; messages name the values by the options of ``edgeagent qat train``.

    Attributes:
        folders: folders of pictures; a repeated one counts again.
        dataset: data set, see :mod:`edgeagent.datasets.dataset`; its split ``train`` is trained on.
        dataset_images: folder of the pictures of COCO JSON files; None looks for it.
        validation: labelled pictures to measure mAP on.
    """

    folders: Sequence[Path] = ()
    dataset: Path | None = None
    dataset_images: Path | None = None
    validation: GivenData = field(default_factory=lambda: GivenData(prefix="--val-"))

    def find(self, *, measure: bool) -> FoundPictures:
        """Return the pictures.

        Args:
            measure: whether the split ``val`` of the data set is measured on where no other pictures are
                given for that.

        Raises:
            ConfigurationError: nothing is given, or what is given does not go together.
            DataError: pictures or labels cannot be used.
        """
        validation = self.validation.open()
        in_folders = find_pictures(self.folders)
        if self.dataset is None:
            if not self.folders:
                raise ConfigurationError("no pictures: give --dataset or --images")
            if self.dataset_images is not None and self.validation.dataset is None:
                raise ConfigurationError("--dataset-images goes with --dataset")
            return FoundPictures(in_folders, None, validation)
        dataset = Dataset.find(self.dataset, self.dataset_images)
        data = dataset.open(None, "train")
        if validation is None and measure and "val" in dataset.splits:
            validation = dataset.open("val", "val")
        return FoundPictures(in_folders, data, validation)


@dataclass(frozen=True)
class FoundPictures:
    """Pictures to train, calibrate and measure on.

    Attributes:
        in_folders: pictures of folders, without labels of their own.
        data: pictures of a data set to train on; None without one.
        validation: labelled pictures to measure mAP on; None without any.
    """

    in_folders: Sequence[Path]
    data: LabelledData | None
    validation: LabelledData | None

    @property
    def pictures(self) -> list[Path]:
        """All pictures to train on."""
        return [*self.in_folders, *(self.data.pictures if self.data else ())]

    def labels(self, folder: Path | None, names: Sequence[str]) -> dict[Path, Labels]:
        """Return the labels of the pictures that have some.

        Args:
            folder: label files of the pictures of folders; None without.
            names: labels of the model.

        Raises:
            ConfigurationError: label files are given without folders of pictures.
            DataError: a label cannot be used.
        """
        if folder is not None and not self.in_folders:
            raise ConfigurationError("--labels goes with --images; a data set has labels of its own")
        found = {} if folder is None else find_labels(self.in_folders, folder, len(names))
        if self.data is not None:
            found.update(zip(self.data.pictures, self.data.read(names), strict=True))
        return found
