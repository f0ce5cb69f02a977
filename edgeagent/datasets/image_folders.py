"""Label files of pictures by the rule of Ultralytics: the last ``images`` of a path becomes ``labels``.

Source: "Object Detection Datasets Overview", Ultralytics, and ``img2label_paths`` of its reader: the label
file of ``a/images/b/1.jpg`` is ``a/labels/b/1.txt``; without a folder ``images`` it lies beside the picture.
A picture without a label file has no objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeagent.datasets.class_names import ClassNames
from edgeagent.datasets.yolo_labels import LabelledPictures, label_files, log_unpaired
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

IMAGES, LABELS = "images", "labels"


def label_folder(picture: Path) -> Path:
    """Return the folder of the label file of a picture."""
    parts = list(picture.parent.parts)
    for position in reversed(range(len(parts))):
        if parts[position] == IMAGES:
            parts[position] = LABELS
            break
    return Path(*parts)


def with_label_files(
    pictures: Sequence[Path], names: ClassNames | None, where: str, *, whole_folders: bool = True
) -> LabelledPictures:
    """Return pictures with their label files.

    Args:
        pictures: paths, at least one.
        names: names of the classes; None where they are the labels of the model.
        where: file or folder that names the pictures, for messages.
        whole_folders: whether label files without a picture are logged.

    Raises:
        DataError: no picture has a label file, or two pictures or two label files of a folder have the same
            stem.
    """
    folders: dict[Path, list[Path]] = {}
    for picture in pictures:
        folders.setdefault(label_folder(picture), []).append(picture)
    found: dict[Path, Path | None] = {}
    for folder, own in folders.items():
        if folder.is_dir():
            files, unpaired = label_files(own, folder)
            found.update(zip(own, files, strict=True))
            if whole_folders:
                log_unpaired(unpaired)
    if not any(found.values()):
        first = printable(next(iter(folders)))
        raise DataError(
            f"{where}: none of the {len(pictures)} pictures has a label file; they are looked for in "
            f"{first}, as `images` in a path becomes `labels`"
        )
    return LabelledPictures(tuple(pictures), tuple(found.get(picture) for picture in pictures), names)
