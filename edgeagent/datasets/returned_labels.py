"""Labels that come back from a labelling tool, in one form for all tools.

Places are shares of the picture, 0..1 from its left upper corner. What a tool drew and this form cannot carry
is refused by the reader of the tool, so that nothing is lost without a word.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeagent.datasets.class_text import is_class_text
from edgeagent.errors import DataError
from edgeagent.files.naming import printable, shortened

MOST_BYTES = 1_000_000_000
"""Largest file of labels that is read."""
SLACK = 0.01
"""Share of the picture by which a place may reach beyond it: tools round. It is moved to the border."""


@dataclass(frozen=True, slots=True)
class ReturnedObject:
    """Labelled object, or the class of the whole picture.

    Attributes:
        label: name of its class.
        box: ``x1, y1, x2, y2``; None for a class of the whole picture.
        outline: corners ``x, y``; empty where only the box is known.
    """

    label: str
    box: tuple[float, float, float, float] | None
    outline: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnedPicture:
    """Picture that a person has labelled; without objects it shows none.

    Attributes:
        name: of its file, without folders.
        size: width and height in pixels for which it was labelled; None where the tool does not say.
        objects: that the person has labelled.
        place: where that stands, for messages.
    """

    name: str
    size: tuple[float, float] | None
    objects: tuple[ReturnedObject, ...]
    place: str


@dataclass(frozen=True, slots=True)
class ReturnedLabels:
    """Content of a file or folder of labels.

    Attributes:
        pictures: that were labelled.
        waiting: number of pictures that the tool lists and nobody has labelled.
    """

    pictures: tuple[ReturnedPicture, ...]
    waiting: int = 0


def read_label_file(path: Path) -> str:
    """Return the text of a file of labels.

    Raises:
        DataError: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(
                f"{printable(path)}: larger than {MOST_BYTES} bytes; export fewer pictures at once"
            )
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{printable(path)}: not UTF-8 text; export it again") from error


def read_label_json(path: Path) -> Any:
    """Return the values of a JSON file of labels, in which all text can be printed and stored.

    Raises:
        DataError: see :func:`read_label_file`, it is not JSON, or text in it has half of a surrogate pair.
    """
    text = read_label_file(path)
    try:
        document = json.loads(text)
        if re.search(r"\\u[dD][89a-fA-F]", text) is not None:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{printable(path)}: text in it has half of a surrogate pair (\\ud800 to \\udfff); rename the "
            "picture or class, and export it again"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{printable(path)}: not JSON ({error}); export it again") from error
    return document


def check_class_text(labels: ReturnedLabels) -> ReturnedLabels:
    """Return labels whose classes have names that can be kept.

    Raises:
        DataError: a class has no name, or one with control characters.
    """
    for picture in labels.pictures:
        for one in picture.objects:
            if not is_class_text(one.label):
                state = "has control characters" if one.label.strip() else "is empty"
                raise DataError(
                    f"{picture.place}: the class {_shown(one.label)} {state}; rename it in the tool"
                )
    return labels


def returned_box(corners: tuple[float, float, float, float], label: str, place: str) -> ReturnedObject:
    """Return an object with a box; what reaches beyond the picture by :data:`SLACK` is moved to the border.

    Raises:
        DataError: the box is outside the picture, or has no area.
    """
    x1, y1, x2, y2 = (_inside(value, label, place) for value in corners)
    if not (x1 < x2 and y1 < y2):
        raise DataError(f"{place}: the box of {_shown(label)} has no area; draw it again or remove it")
    return ReturnedObject(label, (x1, y1, x2, y2))


def returned_outline(points: list[tuple[float, float]], label: str, place: str) -> ReturnedObject:
    """Return an object with corners, and the box around them.

    Raises:
        DataError: there are fewer than three, or they are outside the picture, or without an area.
    """
    if len(points) < 3:
        raise DataError(f"{place}: the polygon of {_shown(label)} has fewer than three points; draw it again")
    corners = tuple((_inside(x, label, place), _inside(y, label, place)) for x, y in points)
    across, down = [x for x, _ in corners], [y for _, y in corners]
    around = returned_box((min(across), min(down), max(across), max(down)), label, place)
    return ReturnedObject(label, around.box, corners)


def _inside(value: float, label: str, place: str) -> float:
    if not -SLACK <= value <= 1 + SLACK:  # not a number, too
        raise DataError(
            f"{place}: {_shown(label)} reaches beyond the picture; the labels belong to another picture, or "
            "to another size of it"
        )
    return min(1.0, max(0.0, value))


def _shown(label: str) -> str:
    return shortened(repr(label), 60)
