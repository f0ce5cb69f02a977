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
from edgeagent.datasets.picture_files import list_pictures, readable_files
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
        files = _by_stem(readable_files(labels.rglob("*.txt"), (".txt",), labels))
        all_pictures = list_pictures(images, recursive=True)
    except OSError as error:
        raise DataError(f"{printable(folder)}: cannot be read ({error.strerror})") from error
    if not files:
        raise DataError(f"{printable(labels)}: no label files; export it as YOLO with the folder `labels`")
    pictures = _by_stem([path for path in all_pictures if path.stem in files])
    strange = sorted(files.keys() - pictures.keys())
    if strange:
        raise DataError(
            f"{printable(files[strange[0]])}: there is no picture of this name in {printable(images)} "
            f"({len(strange)} such files); give --images the folder of the pictures that were labelled"
        )
    found = tuple(
        ReturnedPicture(pictures[stem].name, None, _objects(path, names), printable(path))
        for stem, path in files.items()
    )
    return ReturnedLabels(found, len(all_pictures) - len(files))


def _by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Return files by the name without suffix, which pairs pictures and label files.

    Raises:
        DataError: two have the same.
    """
    found: dict[str, Path] = {}
    for path in paths:
        first = found.setdefault(path.stem, path)
        if first != path:
            raise DataError(
                f"{printable(first)} and {printable(path)}: which labels belong to which picture? keep or "
                "rename one"
            )
    return found


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
