"""Labels of people in YOLO format: a folder with ``labels/*.txt`` and the names of the classes.

Names are in ``data.yaml`` (Ultralytics, Roboflow, CVAT) or ``classes.txt`` (Label Studio). A picture without
a label file waits for a person; one with an empty file shows no object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgeagent.datasets.data_yaml import class_names_of
from edgeagent.datasets.labels import WITHOUT_AREA
from edgeagent.datasets.picture_files import list_pictures
from edgeagent.datasets.returned_labels import (
    ReturnedLabels,
    ReturnedObject,
    ReturnedPicture,
    read_label_file,
    returned_box,
    returned_outline,
)
from edgeagent.datasets.yolo_labels import read_labels
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

NAMED = ("data.yaml", "data.yml", "dataset.yaml")
CLASSES = "classes.txt"


def read_returned_yolo(folder: Path, images: Path) -> ReturnedLabels:
    """Read a folder of YOLO labels.

    Args:
        folder: with ``labels`` and the names of the classes.
        images: folder of the pictures, which the label files do not name with their suffix.

    Raises:
        DataError: it is none, or something in it cannot be kept.
    """
    names = _names(folder)
    labels = folder / "labels"
    try:
        files = {path.stem: path for path in sorted(labels.rglob("*.txt"))}
        pictures = {path.stem: path.name for path in list_pictures(images, recursive=True)}
    except OSError as error:
        raise DataError(f"{printable(folder)}: cannot be read ({error.strerror})") from error
    if not files:
        raise DataError(f"{printable(labels)}: no label files; export it as YOLO with the folder `labels`")
    strange = sorted(files.keys() - pictures.keys())
    if strange:
        raise DataError(
            f"{printable(files[strange[0]])}: there is no picture of this name in {printable(images)} "
            f"({len(strange)} such files); give --images the folder of the pictures that were labelled"
        )
    found = tuple(
        ReturnedPicture(pictures[stem], None, _objects(path, names), printable(path))
        for stem, path in files.items()
    )
    return ReturnedLabels(found, len(pictures) - len(files))


def _objects(path: Path, names: Sequence[str]) -> tuple[ReturnedObject, ...]:
    remarks: Counter[str] = Counter()
    labels, place = read_labels(path, len(names), remarks), printable(path)
    if remarks[WITHOUT_AREA]:
        raise DataError(f"{place}: has {remarks[WITHOUT_AREA]} boxes without an area; draw them again")
    found = []
    outlines = labels.outlines or (None,) * len(labels.classes)
    for kind, box, outline in zip(labels.classes.tolist(), labels.boxes.tolist(), outlines, strict=True):
        x, y, width, height = box
        if outline is not None:
            found.append(returned_outline([(p[0], p[1]) for p in outline.tolist()], names[kind], place))
        else:
            corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
            found.append(returned_box(corners, names[kind], place))
    return tuple(found)


def _names(folder: Path) -> tuple[str, ...]:
    described = next((folder / name for name in NAMED if (folder / name).is_file()), None)
    if described is not None:
        return class_names_of(described)
    listed = folder / CLASSES
    if not listed.is_file():
        raise DataError(
            f"{printable(folder)}: neither {NAMED[0]} nor {CLASSES}, so that the numbers of the labels have "
            "no names; export it with names of classes"
        )
    names = tuple(line.strip() for line in read_label_file(listed).splitlines() if line.strip())
    if not names:
        raise DataError(f"{printable(listed)}: is empty; list the names of the classes")
    return names
