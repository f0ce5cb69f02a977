"""Descriptions of all fields of the contract, read from the tables of docs/mqtt.md.

A row ``| `a.b`, `c[].d` | type | meaning |`` describes fields by their path in the message, or by the end of
it (``count`` for ``cameras.stages.count``); the longest path that fits counts. A field without a row that
holds a section has the description of the section. A heading names the streams of its part of the document;
of two streams, the first has the rows above the example, the second those below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from edgeagent.telemetry.contract.streams import STREAMS

Rows = dict[str, str]
"""Meaning by path, or by the end of one."""


class UndescribedFieldError(LookupError):
    """A field has no row in docs/mqtt.md."""


def field_descriptions(document: str) -> dict[str, dict[str, str]]:
    """Return the descriptions by type name and field.

    Args:
        document: text of docs/mqtt.md.

    Raises:
        UndescribedFieldError: fields without a row; their paths are named.
    """
    sections = {stream.name: _rows(_section(document, stream.name)) for stream in STREAMS}
    found: dict[str, dict[str, str]] = {}
    undescribed: dict[tuple[str, str], str] = {}
    for stream in STREAMS:
        for path, kind, name, section in _fields(stream.kind):
            text = _meaning(sections, stream.name, path) or section
            if text is None:
                undescribed.setdefault((kind, name), f"{stream.name}: {path}")
            else:
                found.setdefault(kind, {}).setdefault(name, text)
    missing = [path for (kind, name), path in undescribed.items() if name not in found.get(kind, {})]
    if missing:
        raise UndescribedFieldError(f"docs/mqtt.md has no row for {', '.join(missing)}")
    return found


def _section(document: str, stream: str) -> str:
    """Return the part of the document about a stream."""
    for part in re.split(r"^## ", document, flags=re.MULTILINE)[1:]:
        title = part.partition("\n")[0]
        names = [name.partition("/")[0] for name in re.findall(r"`([^`]*)`", title)]
        if stream in names:
            before, example, after = part.partition("```json")
            if len(names) == 1:
                return part
            return before if names.index(stream) == 0 else example + after
    return ""


def _rows(section: str) -> Rows:
    found: Rows = {}
    for names, about in re.findall(r"^\| (`[^|]*`) \| [^|]+ \| ([^|]*) \|$", section, re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", about)  # a link
        for name in re.findall(r"`([^`]*)`", names):
            found.setdefault(name, text)
    return found


def _meaning(sections: dict[str, Rows], stream: str, path: str) -> str | None:
    rows = sections[stream]
    fitting = [name for name in rows if path == name or path.endswith(f".{name}")]
    if not fitting:
        return None
    text = rows[max(fitting, key=len)]
    other = re.match(r"as in `(\w+)`", text)
    leaf = path.rpartition(".")[2]
    return sections[other[1]].get(leaf, text) if other and other[1] in sections else text


def _fields(annotation: Any, prefix: str = "") -> Iterator[tuple[str, str, str, str | None]]:
    """Yield of each field of all models in an annotation: path, type name, name, and what its section is."""
    for kind, many in _models(annotation):
        start = prefix if not prefix else f"{prefix}{'[]' if many else ''}."
        for name, info in kind.model_fields.items():
            parts = [part for part, _ in _models(info.annotation)]
            section = (parts[0].__doc__ or "").partition("\n\n")[0] if parts else None
            yield f"{start}{name}", kind.__name__, name, section
            yield from _fields(info.annotation, f"{start}{name}")


def _models(annotation: Any, many: bool = False) -> Iterable[tuple[type[BaseModel], bool]]:
    """Yield the models in an annotation, and whether it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for argument in get_args(annotation):
        yield from _models(argument, many or get_origin(annotation) is tuple)
