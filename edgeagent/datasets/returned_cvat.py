"""Labels of people in CVAT for images 1.1: ``annotations.xml``.

Format: CVAT documentation, "CVAT for images". ``box`` and ``polygon`` are objects, ``tag`` is the class of
the whole picture; other shapes and turned boxes are refused. A document type is refused before it is
read, as it may hold entities.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from edgeagent.datasets.returned_labels import (
    ReturnedLabels,
    ReturnedObject,
    ReturnedPicture,
    read_label_file,
    returned_box,
    returned_outline,
)
from edgeagent.errors import DataError
from edgeagent.files.naming import printable

SHAPES = ("box", "polygon", "tag")


def read_returned_cvat(file: Path) -> ReturnedLabels:
    """Read an XML file of CVAT.

    Raises:
        DataError: it is none, or something in it cannot be kept.
    """
    where = printable(file)
    text = read_label_file(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError(f"{where}: has a document type, which files of CVAT do not; export it again")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 (without a document type there are no entities)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{where}: not XML ({error}); export it as `CVAT for images 1.1`") from error
    if root.tag != "annotations" or root.find("track") is not None:
        raise DataError(f"{where}: not `CVAT for images 1.1`; choose that format in the export")
    pictures = []
    for image in root.iter("image"):
        name = (image.get("name") or "").replace("\\", "/")
        place = f"{where}: {printable(name) or 'image without a name'}"
        size = _number(image, "width", place), _number(image, "height", place)
        if min(size) <= 0:
            raise DataError(f"{place}: width and height must be above 0")
        objects = [_object(one, size, place) for one in image]
        pictures.append(ReturnedPicture(PurePosixPath(name).name, size, tuple(objects), place))
    if not pictures:
        raise DataError(f"{where}: has no image; export it as `CVAT for images 1.1`")
    return ReturnedLabels(tuple(pictures))


def _object(one: ElementTree.Element, size: tuple[float, float], place: str) -> ReturnedObject:
    label = one.get("label")
    if not label:
        raise DataError(f"{place}: a {one.tag} has no label")
    if one.tag == "tag":
        return ReturnedObject(label, None)
    if one.tag not in SHAPES:
        raise DataError(f"{place}: has a {one.tag}; boxes, polygons and tags can be taken back")
    width, height = size
    if one.tag == "polygon":
        try:
            pairs = [pair.split(",") for pair in (one.get("points") or "").split(";")]
            points = [(float(x) / width, float(y) / height) for x, y in pairs]
        except ValueError:
            raise DataError(f"{place}: a polygon has no points x,y;x,y") from None
        return returned_outline(points, label, place)
    if one.get("rotation") is not None and _number(one, "rotation", place) != 0:
        raise DataError(f"{place}: has a turned box; draw it upright, or as a polygon")
    x1, y1, x2, y2 = (_number(one, key, place) for key in ("xtl", "ytl", "xbr", "ybr"))
    return returned_box((x1 / width, y1 / height, x2 / width, y2 / height), label, place)


def _number(one: ElementTree.Element, key: str, place: str) -> float:
    try:
        return float(one.get(key) or "")
    except ValueError:
        raise DataError(f"{place}: {key}: expected a number, got {one.get(key)!r}") from None
