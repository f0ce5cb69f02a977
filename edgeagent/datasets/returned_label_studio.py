"""Labels of people in Label Studio's JSON: a list of tasks, each with its ``annotations``.

Format: Label Studio documentation, "Export annotations", "Label Studio JSON format of annotated tasks".
Places are in percent of the picture. ``rectanglelabels`` and ``polygonlabels`` are objects, ``choices`` the
class of the whole picture; other results and turned boxes are refused. A task without an annotation waits
for a person; one with several needs a decision, and is refused.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeagent.datasets.returned_labels import (
    ReturnedLabels,
    ReturnedObject,
    ReturnedPicture,
    read_label_json,
    returned_box,
    returned_outline,
)
from edgeagent.errors import DataError
from edgeagent.files.naming import printable, shortened
from edgeagent.files.validation import first_mistake

UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""Start of the name that Label Studio gives to an uploaded picture."""
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Pixels = Annotated[int, Field(gt=0, le=10**9)]
_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Rectangle(_Part):
    x: _Finite
    y: _Finite
    width: _Finite
    height: _Finite
    rotation: _Finite = 0.0
    rectanglelabels: _Names


class _Polygon(_Part):
    points: tuple[tuple[_Finite, _Finite], ...]
    polygonlabels: _Names


class _Choices(_Part):
    choices: _Names


class _Result(_Part):
    type: str
    value: dict[str, Any] = {}
    original_width: _Pixels | None = None
    original_height: _Pixels | None = None


class _Annotation(_Part):
    result: tuple[_Result, ...]
    was_cancelled: bool = False


class _Task(_Part):
    data: dict[str, Any]
    annotations: tuple[_Annotation, ...]


_VALUES: dict[str, type[_Rectangle | _Polygon | _Choices]] = {
    "rectanglelabels": _Rectangle,
    "polygonlabels": _Polygon,
    "choices": _Choices,
}


def read_returned_label_studio(file: Path) -> ReturnedLabels:
    """Read a file of Label Studio.

    Raises:
        DataError: it is none, or something in it cannot be kept.
    """
    where = printable(file)
    document = read_label_json(file)
    if not isinstance(document, list) or not document:
        raise DataError(f"{where}: expected a list of tasks; export it from Label Studio as `JSON`")
    pictures, waiting = [], 0
    for number, one in enumerate(document):
        place = f"{where}: task {number}"
        if isinstance(one, dict) and "predictions" in one and "annotations" not in one:
            raise DataError(f"{where}: not labelled yet; import it, label, then export `JSON`")
        try:
            task = _Task.model_validate(one)
        except ValidationError as error:
            raise DataError(f"{place}: {first_mistake(error)}; export it as `JSON`, not `JSON-MIN`") from None
        name = _name(task.data, place)
        place = f"{place} ({printable(name)})"
        done = [annotation for annotation in task.annotations if not annotation.was_cancelled]
        if len(done) > 1:
            raise DataError(f"{place}: has {len(done)} annotations; which is right? keep one")
        if not done:
            waiting += 1
            continue
        pictures.append(_picture(name, done[0], place))
    return ReturnedLabels(tuple(pictures), waiting)


def _picture(name: str, annotation: _Annotation, place: str) -> ReturnedPicture:
    sizes = {
        (one.original_width, one.original_height)
        for one in annotation.result
        if one.original_width is not None and one.original_height is not None
    }
    if len(sizes) > 1:
        raise DataError(f"{place}: its results are for pictures of different sizes")
    width_height = next(iter(sizes), None)
    size = None if width_height is None else (float(width_height[0] or 0), float(width_height[1] or 0))
    objects = tuple(_object(one, place) for one in annotation.result)
    return ReturnedPicture(name, size, objects, place)


def _object(one: _Result, place: str) -> ReturnedObject:
    kind = _VALUES.get(one.type)
    if kind is None:
        raise DataError(
            f"{place}: has a result of the type {one.type!r}; rectangles, polygons and choices can "
            "be taken back"
        )
    try:
        value = kind.model_validate(one.value)
    except ValidationError as error:
        raise DataError(f"{place}: {one.type}: {first_mistake(error)}") from None
    if isinstance(value, _Choices):
        return ReturnedObject(_only(value.choices, place), None)
    if isinstance(value, _Polygon):
        label = _only(value.polygonlabels, place)
        return returned_outline([(x / 100, y / 100) for x, y in value.points], label, place)
    label = _only(value.rectanglelabels, place)
    if value.rotation:
        raise DataError(f"{place}: has a turned box of {label!r}; draw it upright, or as a polygon")
    x, y = value.x / 100, value.y / 100
    return returned_box((x, y, x + value.width / 100, y + value.height / 100), label, place)


def _only(names: tuple[str, ...], place: str) -> str:
    if len(names) > 1:
        raise DataError(f"{place}: one object has the labels {', '.join(map(repr, names))}; give it one")
    return names[0]


def _name(data: dict[str, Any], place: str) -> str:
    """Return the name of the picture: the one that the export gave, else that of its address."""
    given = data.get("name")
    if isinstance(given, str) and given:
        return PurePosixPath(given).name
    address = data.get("image")
    if not isinstance(address, str) or not address:
        raise DataError(f"{place}: data: expected `image`, the address of a picture")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise DataError(f"{place}: data: image: {shortened(repr(address), 60)} is no address") from None
    path = parts.query.rpartition("d=")[2] if parts.path.endswith("/local-files/") else parts.path
    return UPLOADED.sub("", PurePosixPath(unquote(path)).name, count=1)
