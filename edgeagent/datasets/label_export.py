"""Pictures with proposed labels, written for labelling tools: COCO, YOLO, CVAT, Label Studio.

::

    coco   images/  annotations.json                     COCO object detection; score is kept beside each box
    yolo   images/  labels/  data.yaml                   one line an object: class, centre, size, in shares
    cvat   images/  annotations.xml                      CVAT for images 1.1
    label-studio   images/  tasks.json  label-config.xml   tasks with predictions, and the labelling interface

The pictures are copied; nothing is written into a folder that has anything in it. Folder and files are for
their owner only, as the pictures show people.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from edgeagent.datasets.class_text import is_class_text
from edgeagent.errors import DataError
from edgeagent.files.atomic import PRIVATE_FILE, PRIVATE_FOLDER
from edgeagent.files.naming import shortened


@dataclass(frozen=True, slots=True)
class ProposedObject:
    """Object that a person confirms or corrects.

    Attributes:
        label: name of its class.
        score: of the model, 0..1.
        box: ``x1, y1, x2, y2`` in shares of the picture.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ProposedPicture:
    """Picture with proposed objects.

    Attributes:
        file: picture.
        name: of its copy; unique.
        width, height: in pixels.
        objects: that were found in it.
        labels: all classes of the model that found them, in its order; empty where they are not known.
    """

    file: Path
    name: str
    width: int
    height: int
    objects: tuple[ProposedObject, ...]
    labels: tuple[str, ...] = ()


def export_labels(pictures: Sequence[ProposedPicture], kind: str, out: Path) -> tuple[str, ...]:
    """Write pictures with their labels, and return the names of the classes, those of the models first.

    Args:
        pictures: in the order in which they are written.
        kind: one of :data:`EXPORTS`.
        out: folder, which is made; an empty one may exist.

    Raises:
        DataError: there is no picture, a label is blank or has control characters,
            the folder has something in it, or cannot be written.
    """
    if not pictures:
        raise DataError("there is no hard frame to export")
    labels = _classes(pictures)
    unfit = next((one for one in labels if not is_class_text(one)), None)
    if unfit is not None:
        raise DataError(
            f"the label {shortened(repr(unfit), 60)} is blank or has control characters, which tools cannot "
            "read; rename the class of the model"
        )
    try:
        out.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        out.chmod(PRIVATE_FOLDER)
        (out / "images").mkdir(PRIVATE_FOLDER)
        if len(list(out.iterdir())) > 1:
            raise FileExistsError(0, "it has something in it")
        for picture in pictures:
            shutil.copyfile(picture.file, out / "images" / picture.name)
        EXPORTS[kind](pictures, labels, out)
        for path in out.rglob("*"):
            path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
    except FileExistsError:
        raise DataError(f"{out}: the folder has something in it; name a new one") from None
    except OSError as error:
        raise DataError(f"{error.filename or out}: cannot be written ({error.strerror})") from error
    return labels


def _classes(pictures: Sequence[ProposedPicture]) -> tuple[str, ...]:
    known = dict.fromkeys(label for named in {one.labels: None for one in pictures} for label in named)
    found = {one.label for picture in pictures for one in picture.objects}
    return (*known, *sorted(found - known.keys()))


def _coco(pictures: Sequence[ProposedPicture], labels: Sequence[str], out: Path) -> None:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, 1):
        size = {"width": picture.width, "height": picture.height}
        images.append({"id": number, "file_name": picture.name, **size})
        for one in picture.objects:
            x1, y1, x2, y2 = _pixels(picture, one)
            box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": labels.index(one.label) + 1,
                    "bbox": box,
                    "area": round(box[2] * box[3], 2),
                    "iscrowd": 0,
                    "score": one.score,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(labels, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (out / "annotations.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _yolo(pictures: Sequence[ProposedPicture], labels: Sequence[str], out: Path) -> None:
    (out / "labels").mkdir()
    for picture in pictures:
        lines = []
        for one in picture.objects:
            x1, y1, x2, y2 = one.box
            values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            lines.append(f"{labels.index(one.label)} " + " ".join(f"{value:.6f}" for value in values))
        text = "".join(f"{line}\n" for line in lines)
        (out / "labels" / picture.name).with_suffix(".txt").write_text(text, encoding="utf-8")
    data = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(labels))}
    (out / "data.yaml").write_text(
        yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )


def _cvat(pictures: Sequence[ProposedPicture], labels: Sequence[str], out: Path) -> None:
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    known = ElementTree.SubElement(task, "labels")
    for name in labels:
        ElementTree.SubElement(ElementTree.SubElement(known, "label"), "name").text = name
    for number, picture in enumerate(pictures):
        facts = {"id": number, "name": picture.name, "width": picture.width, "height": picture.height}
        image = ElementTree.SubElement(root, "image", {key: str(value) for key, value in facts.items()})
        for one in picture.objects:
            corners = zip(("xtl", "ytl", "xbr", "ybr"), _pixels(picture, one), strict=True)
            place = {key: f"{value:.2f}" for key, value in corners}
            ElementTree.SubElement(image, "box", {"label": one.label, "occluded": "0", **place})
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(out / "annotations.xml", encoding="utf-8", xml_declaration=True)


def _label_studio(pictures: Sequence[ProposedPicture], labels: Sequence[str], out: Path) -> None:
    tasks = []
    for number, picture in enumerate(pictures, 1):
        size = {"original_width": picture.width, "original_height": picture.height, "image_rotation": 0}
        found = []
        for place, one in enumerate(picture.objects):
            x1, y1, x2, y2 = (round(100 * value, 3) for value in one.box)
            box = {"x": x1, "y": y1, "width": round(x2 - x1, 3), "height": round(y2 - y1, 3), "rotation": 0}
            names = {"id": f"{number}-{place}", "from_name": "label", "to_name": "image"}
            value = {**box, "rectanglelabels": [one.label]}
            found.append({**names, "type": "rectanglelabels", **size, "score": one.score, "value": value})
        address = f"/data/local-files/?d={out.name}/images/{picture.name}"
        prediction = {"model_version": "edgeagent", "result": found}
        tasks.append({"data": {"image": address, "name": picture.name}, "predictions": [prediction]})
    (out / "tasks.json").write_text(json.dumps(tasks, indent=1), encoding="utf-8")
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", {"name": "image", "value": "$image"})
    choices = ElementTree.SubElement(view, "RectangleLabels", {"name": "label", "toName": "image"})
    for name in labels:
        ElementTree.SubElement(choices, "Label", {"value": name})
    ElementTree.indent(view)
    ElementTree.ElementTree(view).write(out / "label-config.xml", encoding="utf-8")


EXPORTS: dict[str, Callable[[Sequence[ProposedPicture], Sequence[str], Path], None]] = {
    "coco": _coco,
    "yolo": _yolo,
    "cvat": _cvat,
    "label-studio": _label_studio,
}


def _pixels(picture: ProposedPicture, one: ProposedObject) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = one.box
    width, height = picture.width, picture.height
    return round(x1 * width, 2), round(y1 * height, 2), round(x2 * width, 2), round(y2 * height, 2)
