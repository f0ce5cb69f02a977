"""A data set in whatever layout: one path, with the splits that are there.

::

    data.yaml                          Ultralytics, Roboflow (data_yaml)
    NAME.json                          COCO JSON (coco_json)
    folder with data.yaml              as the file
    folder/SPLIT/_annotations.coco.json    Roboflow's COCO export; also the folder of one split
    folder/annotations/instances_SPLIT*.json   COCO
    folder/images[/SPLIT], folder/labels[/SPLIT]    YOLO, without names of classes
    folder/SPLIT/images, folder/SPLIT/labels        the same
    folder[/SPLIT]/LABEL               pictures of classifiers (class_folders)

SPLIT is ``train``, ``val`` (also ``valid``, ``validation``) or ``test``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgeagent.datasets.class_folders import ClassFolders
from edgeagent.datasets.coco_json import ANNOTATIONS_FOLDER, CocoPictures
from edgeagent.datasets.data_yaml import SPLIT_KEYS, data_yaml_splits
from edgeagent.datasets.image_folders import IMAGES, with_label_files
from edgeagent.datasets.labels import LabelledData
from edgeagent.datasets.picture_files import list_pictures
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.files.naming import printable

SPLITS = tuple(SPLIT_KEYS)
DATA_YAML = ("data.yaml", "data.yml", "dataset.yaml")
YAML_SUFFIXES = (".yaml", ".yml")
ROBOFLOW_COCO = "_annotations.coco.json"

Opener = Callable[[], LabelledData]


@dataclass(frozen=True)
class Dataset:
    """A data set that was found.

    Attributes:
        path: file or folder that was given.
        splits: what opens each split; empty for a data set without splits.
        whole: what opens a data set without splits; None with splits.
    """

    path: Path
    splits: Mapping[str, Opener]
    whole: Opener | None = None

    @classmethod
    def find(cls, path: Path, images: Path | None = None) -> Dataset:
        """Find out the layout of a data set.

        Args:
            path: file or folder; see the module.
            images: folder of the pictures of a COCO JSON file; None looks for it.

        Raises:
            DataError: there is nothing, or nothing that is known.
            ConfigurationError: ``images`` is given for another layout.
        """
        if path.is_dir():
            coco = _coco_in_folder(path, images)
            found = coco or _yolo_in_folder(path)
        elif not path.is_file():  # a pipe or a device would be waited for
            raise DataError(f"{printable(path)}: no such file or folder of a data set")
        elif path.suffix.lower() == ".json":
            found = coco = cls(path, {}, partial(CocoPictures.find, path, images))
        elif path.suffix.lower() in YAML_SUFFIXES:
            found, coco = cls(path, data_yaml_splits(path)), None
        else:
            raise DataError(
                f"{printable(path)}: expected data.yaml, a COCO file with the suffix .json, or a folder"
            )
        if images is not None and coco is None:
            raise ConfigurationError(
                "--dataset-images goes with COCO JSON; other layouts name their pictures"
            )
        return found

    def open(self, split: str | None, default: str) -> LabelledData:
        """Open a split, or the data set where it has no splits.

        Args:
            split: one of :data:`SPLITS` that was asked for; None takes ``default`` where there are splits.
            default: one of :data:`SPLITS`.

        Raises:
            DataError: there is no such split, or its pictures or labels cannot be used.
            ConfigurationError: a split was asked for and there are none.
        """
        if self.whole is not None:
            if split is not None:
                raise ConfigurationError(
                    f"{printable(self.path)}: has no splits; leave --split out, or give the file of the split"
                )
            return self.whole()
        wanted = split or default
        if wanted not in self.splits:
            raise DataError(f"{printable(self.path)}: has no split {wanted}; it has {', '.join(self.splits)}")
        return self.splits[wanted]()


def _coco_in_folder(folder: Path, images: Path | None) -> Dataset | None:
    """Return a data set with COCO JSON files; None where data.yaml comes first or there are none."""
    if _data_yaml(folder) is not None:
        return None
    if (folder / ROBOFLOW_COCO).is_file():
        return Dataset(folder, {}, partial(CocoPictures.find, folder / ROBOFLOW_COCO, images))
    splits: dict[str, Opener] = {}
    for split, names in SPLIT_KEYS.items():
        files = [folder / name / ROBOFLOW_COCO for name in names]
        files = [file for file in files if file.is_file()]
        for name in names if not files else ():
            files += sorted((folder / ANNOTATIONS_FOLDER).glob(f"instances_{name}[0-9]*.json"))
            files += sorted((folder / ANNOTATIONS_FOLDER).glob(f"instances_{name}.json"))
        if len(files) > 1:
            found = ", ".join(printable(file.name) for file in files)
            raise DataError(
                f"{printable(folder)}: which file is the split {split}? {found}: give one of them"
            )
        if files:
            splits[split] = partial(CocoPictures.find, files[0], images)
    return Dataset(folder, splits) if splits else None


def _yolo_in_folder(folder: Path) -> Dataset:
    """Return a data set with label files in YOLO format."""
    described = _data_yaml(folder)
    if described is not None:
        return Dataset(folder, data_yaml_splits(described))
    splits: dict[str, Opener] = {}
    for split, names in SPLIT_KEYS.items():
        places = [folder / IMAGES / name for name in names] + [folder / name / IMAGES for name in names]
        found = next((place for place in places if place.is_dir()), None)
        if found is not None:
            splits[split] = partial(_open_folder, found)
    if splits:
        return Dataset(folder, splits)
    inner = folder / IMAGES
    if inner.is_dir() or IMAGES in folder.parts:
        return Dataset(folder, {}, partial(_open_folder, inner if inner.is_dir() else folder))
    classes = _classes_in_folder(folder)
    if classes is not None:
        return classes
    raise DataError(
        f"{printable(folder)}: no data set here: expected data.yaml, {ROBOFLOW_COCO}, {ANNOTATIONS_FOLDER}/"
        "instances_*.json, the folders images and labels, or for a classifier a folder for each label"
    )


def _classes_in_folder(folder: Path) -> Dataset | None:
    """Return a data set with a folder for each class; None without one."""
    splits: dict[str, Opener] = {}
    for split, names in SPLIT_KEYS.items():
        place = next((folder / name for name in names if (folder / name).is_dir()), None)
        if place is not None and (found := ClassFolders.find(place)) is not None:
            splits[split] = partial(_same, found)
    if splits:
        return Dataset(folder, splits)
    whole = ClassFolders.find(folder)
    return None if whole is None else Dataset(folder, {}, partial(_same, whole))


def _same(data: ClassFolders) -> LabelledData:
    return data


def _open_folder(images: Path) -> LabelledData:
    pictures = list_pictures(images, recursive=True)
    if not pictures:
        raise DataError(f"{printable(images)}: contains no pictures")
    return with_label_files(pictures, None, printable(images))


def _data_yaml(folder: Path) -> Path | None:
    return next((folder / name for name in DATA_YAML if (folder / name).is_file()), None)
