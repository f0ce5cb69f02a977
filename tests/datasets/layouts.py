"""One small data set, written in the layouts of YOLO, Ultralytics, Roboflow and COCO."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgeagent.imaging.frame import Image
from tests.engines import cell_detector as cells

Box = tuple[int, float, float, float, float]
"""Class index of the model, then x, y, width, height in pixels."""
LABELS = cells.LABELS
OTHER_NAMES = ("Straßenbahn", "bicycle", "Person")
"""The classes of the model in another order, among others, as a tool would write them."""


@dataclass(frozen=True)
class Scene:
    """A picture and its objects."""

    image: Image
    objects: Sequence[Box]


def cell_scene(places: Sequence[tuple[int, int]], more: Sequence[Box] = ()) -> Scene:
    """Return a picture whose white cells are persons, labelled, with more labels."""
    own: list[Box] = [(0, 8.0 * column, 8.0 * row, 8.0, 8.0) for column, row in places]
    return Scene(cells.picture(places), [*own, *more])


def other_index(label: int) -> int:
    """Return the index of a label of the model in :data:`OTHER_NAMES`."""
    return [name.casefold() for name in OTHER_NAMES].index(LABELS[label].casefold())


def yolo_lines(scene: Scene, index: Callable[[int], int] = lambda label: label) -> str:
    """Return the label file of a scene."""
    height, width = scene.image.shape[:2]
    return "".join(
        f"{index(label)} {(x + w / 2) / width!r} {(y + h / 2) / height!r} {w / width!r} {h / height!r}\n"
        for label, x, y, w, h in scene.objects
    )


def write_pairs(
    scenes: Sequence[Scene],
    images: Path,
    labels: Path,
    index: Callable[[int], int] = lambda label: label,
) -> None:
    """Write pictures and label files; a scene without objects gets no file."""
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for number, scene in enumerate(scenes):
        (images / f"{number}.png").write_bytes(cells.png(scene.image))
        if scene.objects:
            (labels / f"{number}.txt").write_text(yolo_lines(scene, index), encoding="utf-8")


def write_ultralytics(scenes: Sequence[Scene], folder: Path) -> Path:
    """Write images/val, labels/val and data.yaml with numbered names; return the file."""
    write_pairs(scenes, folder / "images" / "val", folder / "labels" / "val", other_index)
    names = dict(enumerate(OTHER_NAMES))
    return write_yaml(folder / "data.yaml", {"path": ".", "val": "images/val", "names": names})


def write_roboflow(scenes: Sequence[Scene], folder: Path) -> Path:
    """Write valid/images, valid/labels and data.yaml as Roboflow exports it; return the file."""
    write_pairs(scenes, folder / "valid" / "images", folder / "valid" / "labels", other_index)
    content = {
        "train": "../train/images",
        "val": "../valid/images",
        "nc": len(OTHER_NAMES),
        "names": list(OTHER_NAMES),
        "roboflow": {"workspace": "w", "version": 1},
    }
    return write_yaml(folder / "data.yaml", content)


def write_yaml(file: Path, content: Mapping[str, Any]) -> Path:
    """Write a YAML file."""
    file.write_text(yaml.safe_dump(dict(content), allow_unicode=True), encoding="utf-8")
    return file


def coco_document(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Return COCO JSON with sparse category ids in another order, the largest first."""
    ids = {index: 7 * index + 1 for index in range(len(OTHER_NAMES))}
    annotations = [
        {
            "id": 100 * number + position,
            "image_id": number + 10,
            "category_id": ids[other_index(label)],
            "bbox": [x, y, w, h],
            "area": w * h,
            "iscrowd": 0,
        }
        for number, scene in enumerate(scenes)
        for position, (label, x, y, w, h) in enumerate(scene.objects)
    ]
    images = [
        {
            "id": number + 10,
            "file_name": f"{number}.png",
            "width": scene.image.shape[1],
            "height": scene.image.shape[0],
        }
        for number, scene in enumerate(scenes)
    ]
    categories = [{"id": ids[index], "name": name} for index, name in reversed(list(enumerate(OTHER_NAMES)))]
    return {"images": images[::-1], "annotations": annotations, "categories": categories}


def write_coco(scenes: Sequence[Scene], folder: Path, file: str, images: str = ".") -> Path:
    """Write pictures and COCO JSON; return the file."""
    (folder / images).mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(scenes):
        (folder / images / f"{number}.png").write_bytes(cells.png(scene.image))
    return write_json(folder / file, coco_document(scenes))


def write_json(file: Path, content: Any) -> Path:
    """Write a JSON file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file
