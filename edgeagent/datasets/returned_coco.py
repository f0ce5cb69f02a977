"""Labels of people in COCO JSON: ``images``, ``annotations`` and ``categories``.

Format: "COCO, Data format" (https://cocodataset.org/#format-data). A picture of the file without annotations
shows no object. A region of many objects (``iscrowd``), a run-length mask, and an object of several polygons
are refused: YOLO labels cannot hold them.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath
from typing import Any

from edgeagent.datasets.coco_entries import CocoImage, check_entries
from edgeagent.datasets.returned_labels import (
    ReturnedLabels,
    ReturnedObject,
    ReturnedPicture,
    read_label_json,
    returned_box,
    returned_outline,
)
from edgeagent.errors import DataError
from edgeagent.files.naming import printable


def read_returned_coco(file: Path) -> ReturnedLabels:
    """Read a COCO JSON file.

    Raises:
        DataError: it is none, or something in it cannot be kept.
    """
    where = printable(file)
    document = read_label_json(file)
    entries = check_entries(document, where)
    if not entries.names:
        raise DataError(f"{where}: its categories have no `name`; export it with names of classes")
    found: dict[int | str, list[ReturnedObject]] = {key: [] for key in entries.images}
    for number, (one, raw) in enumerate(zip(entries.annotations, document["annotations"], strict=True)):
        place = f"{where}: annotations[{number}]"
        image = entries.images.get(one.image)
        if image is None:
            raise DataError(f"{place}: belongs to no picture of the file (image_id {one.image!r})")
        if one.crowd:
            raise DataError(f"{place}: is a region of many objects (iscrowd); label them one by one")
        found[one.image].append(_object(raw, one.box, entries.names[one.category], image, place))
    pictures = tuple(
        ReturnedPicture(
            PurePosixPath(image.name).name, image.size, tuple(found[key]), f"{where}: {image.name}"
        )
        for key, image in entries.images.items()
    )
    return ReturnedLabels(pictures)


def _object(
    raw: dict[str, Any], box: tuple[float, float, float, float], label: str, image: CocoImage, place: str
) -> ReturnedObject:
    if image.size is None:
        raise DataError(f"{place}: its picture has no `width` and `height`; without them boxes have no place")
    width, height = image.size
    polygons = raw.get("segmentation")
    if isinstance(polygons, dict):
        raise DataError(f"{place}: has a run-length mask; export polygons")
    if isinstance(polygons, list) and len(polygons) > 1:
        raise DataError(f"{place}: has {len(polygons)} polygons; one object has one polygon: split it")
    if isinstance(polygons, list) and polygons:
        values = polygons[0]
        if not isinstance(values, list) or len(values) % 2 or not all(map(_is_place, values)):
            raise DataError(f"{place}: segmentation: expected a list of numbers x, y, x, y ... in pixels")
        points = [(x / width, y / height) for x, y in zip(values[0::2], values[1::2], strict=True)]
        return returned_outline(points, label, place)
    x, y, across, down = box
    return returned_box((x / width, y / height, (x + across) / width, (y + down) / height), label, place)


def _is_place(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
