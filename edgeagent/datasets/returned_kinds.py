"""Format of labels that come back, which their content tells: tools name their files in many ways.

::

    list of tasks with `data`                          Label Studio
    `images`, `annotations` and `categories`           COCO
    `annotations` as the root of XML                   CVAT for images
    folder `labels` with .txt files                    YOLO

A folder with labels of two kinds, or in two files, is refused: only one of them would count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from edgeagent.datasets.picture_files import RESOURCE_FORK
from edgeagent.datasets.returned_coco import read_returned_coco
from edgeagent.datasets.returned_cvat import read_returned_cvat
from edgeagent.datasets.returned_label_studio import read_returned_label_studio
from edgeagent.datasets.returned_labels import (
    ReturnedLabels,
    check_class_text,
    read_label_file,
    read_label_json,
)
from edgeagent.datasets.returned_yolo import CLASSES, NAMED, read_returned_yolo
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

Kind = Literal["COCO", "Label Studio", "CVAT", "YOLO"]
COCO_KEYS = frozenset(("images", "annotations", "categories"))
_ROOT = re.compile(r"<([A-Za-z_][\w.:-]*)")


def read_returned(given: Path, images: Path) -> ReturnedLabels:
    """Read labels of any of the four formats.

    Args:
        given: file, or folder in which one file, at any depth, or ``labels`` holds them.
        images: folder of the pictures.

    Raises:
        DataError: there is nothing, nothing that is known, or more than one kind.
    """
    if not given.is_dir() and not given.is_file():
        raise DataError(f"{printable(given)}: no such file or folder of labels")
    return check_class_text(_of_folder(given, images) if given.is_dir() else _of_file(given))


def _of_folder(folder: Path, images: Path) -> ReturnedLabels:
    if folder.name == "labels" and not _names_classes(folder) and _names_classes(folder.parent):
        raise DataError(f"{printable(folder)}: holds the labels alone; give the folder above")
    files = list(_label_documents(folder))
    found: list[tuple[Path, Kind]] = [(path, kind) for path in files if (kind := _kind(path)) is not None]
    if any((folder / "labels").rglob("*.txt")):
        found.append((folder / "labels", "YOLO"))
    if len(found) > 1:
        (one, first), (other, second) = found[:2]
        raise DataError(
            f"{printable(folder)}: holds labels twice, {first} in {printable(one.relative_to(folder))} and "
            f"{second} in {printable(other.relative_to(folder))}; which are right? give one of them"
        )
    if found and found[0][1] != "YOLO":
        return _of_file(found[0][0])
    if not found and len(files) == 1:
        return _of_file(files[0])
    return read_returned_yolo(folder, images)


def _of_file(file: Path) -> ReturnedLabels:
    suffix = file.suffix.lower()
    if suffix == ".xml":
        return read_returned_cvat(file)
    if suffix == ".json":
        is_list = isinstance(read_label_json(file), list)
        return read_returned_label_studio(file) if is_list else read_returned_coco(file)
    raise DataError(
        f"{printable(file)}: expected COCO or Label Studio (.json), CVAT for images (.xml), or a folder "
        "with YOLO labels; unpack archives first"
    )


def _names_classes(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (*NAMED, CLASSES))


def _label_documents(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        named = path.suffix.lower() in (".json", ".xml") and not path.name.startswith(RESOURCE_FORK)
        if named and path.is_file():
            yield path


def _kind(file: Path) -> Kind | None:
    """Return the format of a JSON or XML file; None where it is none of labels."""
    if file.suffix.lower() == ".xml":
        root = _ROOT.search(read_label_file(file))
        return "CVAT" if root is not None and root.group(1) == "annotations" else None
    document = read_label_json(file)
    if isinstance(document, dict):
        return "COCO" if document.keys() >= COCO_KEYS else None
    tasks = isinstance(document, list) and all(isinstance(one, dict) and "data" in one for one in document)
    return "Label Studio" if tasks else None
