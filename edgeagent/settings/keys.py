"""Keys of the configuration by paths such as ``telemetry.interval``, and suggestions for unknown ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from edgeagent.files.strict_yaml import Place
from edgeagent.settings.schema import Settings

_MAX_SHOWN = 60
"""Characters of a key in a message."""


def suggestion(place: Place, root: type[BaseModel] = Settings) -> str:
    """Return a suggestion for an unknown key: a similar key here, or the same key in another section.

    Args:
        place: of the key.
        root: section class of the whole file.
    """
    section, key = section_at(place[:-1], root), str(place[-1])[:_MAX_SHOWN]
    near = difflib.get_close_matches(key.lower(), section.model_fields, n=1)
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = [path for path in key_paths(root) if path.rpartition(".")[2] == key]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"known keys here: {', '.join(section.model_fields)}"


def key_paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the paths of all keys and sections of a section, those of list items without a position."""
    for name, info in section.model_fields.items():
        yield prefix + name
        inner = section_in(info.annotation)
        if inner is not None:
            yield from key_paths(inner, f"{prefix}{name}.")


def section_at(place: Place, root: type[BaseModel] = Settings) -> type[BaseModel]:
    """Return the section class at a place; the nearest above it where there is none."""
    section = root
    for step in place:
        if isinstance(step, str) and step in section.model_fields:
            section = section_in(section.model_fields[step].annotation) or section
    return section


def section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as ``tuple[X, ...]`` or ``X | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (section_in(argument) for argument in get_args(annotation))
    return next((section for section in found if section is not None), None)
