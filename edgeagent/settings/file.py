"""Configuration file: parsing and validation, with the line of every mistake.

The file is YAML in the subset of :mod:`edgeagent.files.strict_yaml`. Its data are validated as JSON without
type coercion: ``port: "1883"`` and ``loop: 1`` are errors. Values of unknown keys are never printed, because
a misspelt key may hold a password.
"""

from __future__ import annotations

import difflib
import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable, redact, shortened
from edgeagent.files.resources import find_bundle
from edgeagent.files.strict_yaml import MAX_BYTES, Document, Place, YamlMistakeError, parse
from edgeagent.settings.schema import Settings
from edgeagent.settings.types import SettingsSection

_EXPECTED = {
    "model_type": "expected a section of keys",
    "tuple_type": "expected a list",
    "string_type": "expected text, in quotes if it looks like a number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
}
_MAX_LISTED = 20
"""Mistakes in a message; more are counted."""
_MAX_SHOWN = 60
"""Characters of a value in a message."""

_AnySection = TypeVar("_AnySection", bound=SettingsSection)


def load_settings(path: str | Path) -> Settings:
    """Return the settings of a file; relative paths are resolved against its directory.

    Raises:
        ConfigurationError: the file cannot be read or has mistakes. Each line of the message is
            ``FILE:LINE: key.path: what was expected (got ...)``.
    """
    path = Path(path)
    shown = printable(path)
    try:
        document = parse(_read(path))
    except YamlMistakeError as error:
        raise ConfigurationError(f"{shown}:{error.line}: {error}") from None
    if document.data is None:
        raise ConfigurationError(f"{shown}:1: the file is empty; it needs `cameras:` with at least one")
    mistakes = [
        (line, f"{_dotted(place)}: duplicate key (first in line {document.lines[place]})")
        for line, place in document.duplicates[:_MAX_LISTED]
    ]
    found = len(document.duplicates)
    settings = None
    try:
        settings = Settings.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        mistakes += _mistakes(error, document)
        found += error.error_count()
    if mistakes or settings is None:
        listed = sorted(mistakes)[:_MAX_LISTED]
        if found > _MAX_LISTED:
            listed.append((listed[-1][0], f"and {found - _MAX_LISTED} more mistakes"))
        raise ConfigurationError("\n".join(f"{shown}:{line}: {text}" for line, text in listed))
    resolved = _resolve_paths(path.parent, settings)
    if settings.model.bundle is None:
        return resolved
    bundle = find_bundle(settings.model.bundle, path.parent)
    return resolved.model_copy(update={"model": resolved.model.model_copy(update={"bundle": bundle})})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{printable(path)}: no such file; name the configuration file with -c"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{printable(path)}: cannot be read ({error.strerror})") from None


def _mistakes(error: ValidationError, document: Document) -> Iterator[tuple[int, str]]:
    """Yield (line, message) for the first validation errors by their lines."""
    details = [
        (_line(detail["loc"], document), number, detail)
        for number, detail in enumerate(error.errors(include_url=False, include_context=True))
        # pydantic reports a list of invalid items as empty
        if not (detail["type"] == "too_short" and detail["input"])
    ]
    for line, _, detail in heapq.nsmallest(_MAX_LISTED, details):
        place = detail["loc"]
        prefix = f"{_dotted(place)}: " if place else ""
        yield line, prefix + _text(detail, document)


def _text(detail: ErrorDetails, document: Document) -> str:
    place, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key; {_suggestion(place)}"
    if kind == "missing":
        return "required, but missing"
    value = _value_at(place, document.data)
    if kind == "value_error":
        text = str(detail["ctx"]["error"])
        return text if isinstance(value, dict | list) else f"{text} (got {_shown(value)})"
    if kind in ("too_short", "string_too_short"):
        text = "expected at least one" if kind == "too_short" else "expected text that is not empty"
    else:
        text = _EXPECTED.get(kind) or detail["msg"].replace("Input should be", "expected", 1)
    return f"{text} (got {_shown(value)})"


def _value_at(place: Place, data: Any) -> Any:
    for step in place:
        data = data[step]
    return data


def _shown(value: Any) -> str:
    """Return a value as displayed: without the content of sections and lists, URLs without credentials."""
    if isinstance(value, dict):
        return "a section of keys" if value else "an empty section"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "nothing"
    text = redact(value) if isinstance(value, str) else json.dumps(value)
    text = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
    return json.dumps(text, ensure_ascii=False) if isinstance(value, str) else text


def _suggestion(place: Place) -> str:
    """Return a suggestion for an unknown key: a similar key here, or the same key in another section."""
    section, key = _section_at(place[:-1]), str(place[-1])[:_MAX_SHOWN]
    near = difflib.get_close_matches(key.lower(), section.model_fields, n=1)
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = [path for path in _key_paths(Settings) if path.rpartition(".")[2] == key]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"known keys here: {', '.join(section.model_fields)}"


def _key_paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, info in section.model_fields.items():
        yield prefix + name
        inner = _section_in(info.annotation)
        if inner is not None:
            yield from _key_paths(inner, f"{prefix}{name}.")


def _section_at(place: Place) -> type[BaseModel]:
    section: type[BaseModel] = Settings
    for step in place:
        if isinstance(step, str):
            section = _section_in(section.model_fields[step].annotation) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section class in an annotation such as ``tuple[X, ...]`` or ``X | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section_in(argument) for argument in get_args(annotation))
    return next((section for section in found if section is not None), None)


def _line(place: Place, document: Document) -> int:
    """Return the line of a key, or of the section in which it is missing."""
    while place and place not in document.lines:
        place = place[:-1]
    return document.lines.get(place, 1)


def _dotted(place: Place) -> str:
    text = "".join(
        f"[{step}]" if isinstance(step, int) else f".{shortened(step, _MAX_SHOWN)}" for step in place
    )
    return text.removeprefix(".")


def _resolve_paths(directory: Path, section: _AnySection) -> _AnySection:
    """Return the section, including nested sections, with relative paths resolved against ``directory``."""
    changed: dict[str, Any] = {}
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Path):
            changed[name] = directory / value
        elif isinstance(value, SettingsSection):
            changed[name] = _resolve_paths(directory, value)
        elif isinstance(value, tuple):
            changed[name] = tuple(
                _resolve_paths(directory, item) if isinstance(item, SettingsSection) else item
                for item in value
            )
    return section.model_copy(update=changed)
