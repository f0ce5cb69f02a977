"""Entries of a COCO JSON document, each checked when it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeagent.errors import DataError
from edgeagent.files.naming import escape_controls, shortened

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""
EXPECTED = "expected a COCO instances file with `images`, `annotations` and `categories`"
SHOWN_VALUE = 60
LEAST_POLYGON = 6
"""Numbers of the smallest polygon: three points."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """Entry of ``images``.

    Attributes:
        key: its ``id``.
        name: its ``file_name``, with ``/`` between folders.
        size: ``width`` and ``height`` in pixels; None where the file does not state them.
    """

    key: int | str
    name: str
    size: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """Entry of ``annotations``.

    Attributes:
        image: id of its picture.
        category: position of its category in the order of the ids.
        box: its ``bbox``, or the box around its polygons.
        crowd: whether it is a region of many objects (``iscrowd``).
        polygon: whether it has no ``bbox``.
    """

    image: int | str
    category: int
    box: Box
    crowd: bool
    polygon: bool


@dataclass(frozen=True)
class CocoEntries:
    """Content of a COCO JSON file.

    Attributes:
        images: pictures by their id, in the order of their names.
        annotations: in the order of the file.
        categories: number of categories.
        names: names of the categories in the order of their ids; empty where none has a name.
    """

    images: dict[int | str, CocoImage]
    annotations: tuple[CocoAnnotation, ...]
    categories: int
    names: tuple[str, ...]


def check_entries(document: Any, where: str) -> CocoEntries:
    """Return the content of a parsed file.

    Args:
        document: values of JSON.
        where: name of the file in messages.

    Raises:
        DataError: it is another kind of file, or an entry cannot be used.
    """
    if isinstance(document, list):
        raise DataError(f"{where}: a list, such as results of a detector; {EXPECTED}")
    if not isinstance(document, dict):
        raise DataError(f"{where}: {EXPECTED}")
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            state = "is no list" if key in document else "is missing"
            raise DataError(f"{where}: `{key}` {state}; {EXPECTED}")
    if not document["images"] or not document["categories"]:
        empty = "categories" if document["images"] else "images"
        raise DataError(f"{where}: `{empty}` is empty; {EXPECTED}")
    positions, names = _categories(document["categories"], where)
    images = _images(document["images"], where)
    annotations = tuple(
        _annotation(_Entry.of(entry, where, f"annotations[{number}]"), positions)
        for number, entry in enumerate(document["annotations"])
    )
    return CocoEntries(images, annotations, len(positions), names)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry with its place, for messages."""

    values: dict[str, Any]
    place: str

    @classmethod
    def of(cls, entry: Any, where: str, place: str) -> _Entry:
        if not isinstance(entry, dict):
            raise DataError(f"{where}: {place}: expected an object with keys, got {_shown(entry)}")
        key = entry.get("id")
        own = f" (id {_shown(key)})" if isinstance(key, (int, str)) else ""
        return cls(entry, f"{where}: {place}{own}")

    def error(self, key: str, expected: str) -> DataError:
        got = f"got {_shown(self.values[key])}" if key in self.values else "it is missing"
        return DataError(f"{self.place}: `{key}`: expected {expected}; {got}")

    def key(self, name: str, what: str) -> int | str:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self.error(name, what)
        return value

    def numbers(self, name: str) -> list[float] | None:
        """Return a list of finite numbers; None where the value is something else."""
        return _numbers(self.values.get(name))


def _categories(entries: Sequence[Any], where: str) -> tuple[dict[int, int], tuple[str, ...]]:
    names: dict[int, str | None] = {}
    for number, one in enumerate(entries):
        entry = _Entry.of(one, where, f"categories[{number}]")
        key = entry.key("id", "a whole number")
        if not isinstance(key, int):
            raise entry.error("id", "a whole number")
        if key in names:
            raise DataError(f"{entry.place}: another category has the same id; give each its own")
        name = entry.values.get("name")
        if name is not None and (not isinstance(name, str) or not name.strip()):
            raise entry.error("name", "text")
        names[key] = name
    ordered = sorted(names)
    named = [names[key] for key in ordered if names[key] is not None]
    if named and len(named) < len(ordered):
        key = next(key for key in ordered if names[key] is None)
        raise DataError(f"{where}: categories: the category with the id {key} has no `name`, others have one")
    return {key: position for position, key in enumerate(ordered)}, tuple(map(str, named))


def _images(entries: Sequence[Any], where: str) -> dict[int | str, CocoImage]:
    images: dict[int | str, CocoImage] = {}
    owners: dict[str, int | str] = {}
    for number, one in enumerate(entries):
        entry = _Entry.of(one, where, f"images[{number}]")
        key = entry.key("id", "a number or text")
        name = entry.values.get("file_name")
        if not isinstance(name, str) or not name or "\0" in name:
            raise entry.error("file_name", "the name of a picture")
        name = name.replace("\\", "/")
        if key in images:
            raise DataError(f"{entry.place}: another picture has the same id; give each its own")
        if name in owners:
            raise DataError(
                f"{entry.place}: {_shown(name)} is listed also with the id {_shown(owners[name])}; "
                "which annotations belong to it? list each picture once"
            )
        owners[name] = key
        images[key] = CocoImage(key, name, _size(entry))
    return dict(sorted(images.items(), key=lambda item: item[1].name))


def _size(entry: _Entry) -> tuple[float, float] | None:
    if entry.values.get("width") is None and entry.values.get("height") is None:
        return None
    sides = []
    for key in ("width", "height"):
        side = _numbers([entry.values.get(key)])
        if side is None or side[0] <= 0:
            raise entry.error(key, "a size in pixels above 0")
        sides += side
    return sides[0], sides[1]


def _annotation(entry: _Entry, positions: dict[int, int]) -> CocoAnnotation:
    image, category = entry.key("image_id", "the id of a picture"), entry.values.get("category_id")
    if isinstance(category, bool) or not isinstance(category, int) or category not in positions:
        raise entry.error("category_id", "the id of an entry of `categories`")
    crowd = entry.values.get("iscrowd", 0)
    if crowd not in (0, 1, None):
        raise entry.error("iscrowd", "0 or 1")
    box, polygon = entry.numbers("bbox"), False
    if entry.values.get("bbox") in (None, []):
        box, polygon = _around(entry.values.get("segmentation")), True
        if box is None:
            raise entry.error("bbox", "x, y, width, height in pixels, or polygons in `segmentation`")
    if box is None or len(box) != 4:
        raise entry.error("bbox", "4 numbers x, y, width, height in pixels")
    return CocoAnnotation(image, positions[category], (box[0], box[1], box[2], box[3]), bool(crowd), polygon)


def _around(segmentation: Any) -> list[float] | None:
    """Return x, y, width, height of the box around polygons; None where there are none."""
    polygons = [_numbers(one) for one in segmentation] if isinstance(segmentation, list) else []
    points = [value for polygon in polygons for value in polygon or ()]
    if any(not one or len(one) < LEAST_POLYGON or len(one) % 2 for one in polygons) or not points:
        return None
    x, y = points[0::2], points[1::2]
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _numbers(values: Any) -> list[float] | None:
    if not isinstance(values, list):
        return None
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        return None
    try:
        found = [float(value) for value in values]
    except OverflowError:
        return None
    return found if all(map(math.isfinite, found)) else None


def _shown(value: Any) -> str:
    return shortened(escape_controls(repr(value)), SHOWN_VALUE)
