"""Examination of a configuration that has been parsed: every mistake with its line, and the settings.

The data are validated as JSON without type coercion: ``port: "1883"`` and ``loop: 1`` are errors. Values of
unknown keys are never printed, because a misspelt key may hold a password.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import redact, shortened
from edgeagent.files.resources import find_bundle
from edgeagent.files.strict_yaml import Document, Place, YamlMistakeError, parse
from edgeagent.settings.keys import suggestion
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

_AnyModel = TypeVar("_AnyModel", bound=BaseModel)
_AnySection = TypeVar("_AnySection", bound=SettingsSection)


def parse_document(content: bytes, shown: str, needs: str = "`cameras:` with at least one") -> Document:
    """Return the content of a file, not validated yet.

    Args:
        content: of the file.
        shown: its name, for messages.
        needs: what it must have at least, for messages.

    Raises:
        ConfigurationError: it is no YAML of the subset, or is empty.
    """
    try:
        document = parse(content)
    except YamlMistakeError as error:
        raise ConfigurationError(f"{shown}:{error.line}: {error}") from None
    if document.data is None:
        raise ConfigurationError(f"{shown}:1: the file is empty; it needs {needs}")
    return document


def validate(document: Document, shown: str) -> Settings:
    """Return the settings of a document, with paths as they are written.

    Args:
        document: with the line of every key.
        shown: name of the file, for messages.

    Raises:
        ConfigurationError: it has mistakes; see :func:`load_settings`.
    """
    return validate_as(Settings, document, shown)


def validate_as(model: type[_AnyModel], document: Document, shown: str) -> _AnyModel:
    """Return a document as a model of any file; see :func:`validate`."""
    settings, mistakes, found = _examine_as(model, document)
    if mistakes or settings is None:
        listed = sorted(mistakes)[:_MAX_LISTED]
        if found > _MAX_LISTED:
            listed.append((listed[-1][0], f"and {found - _MAX_LISTED} more mistakes"))
        raise ConfigurationError("\n".join(f"{shown}:{line}: {text}" for line, text in listed))
    return settings


def examine_document(document: Document) -> tuple[Settings | None, list[tuple[int, str]], int]:
    """Return the settings, None with mistakes; the first mistakes with their lines; and their number."""
    return _examine_as(Settings, document)


def _examine_as(
    model: type[_AnyModel], document: Document
) -> tuple[_AnyModel | None, list[tuple[int, str]], int]:
    mistakes = [
        (line, f"{dotted(place)}: duplicate key (first in line {document.lines[place]})")
        for line, place in document.duplicates[:_MAX_LISTED]
    ]
    found, settings = len(document.duplicates), None
    try:
        settings = model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        mistakes += _mistakes(error, document, model)
        found += error.error_count()
    return settings, mistakes, found


def settings_at(directory: Path, settings: Settings) -> Settings:
    """Return settings with relative paths resolved against a directory, and included bundles found."""
    return _find_bundles(directory, settings, _resolve_paths(directory, settings))


def _find_bundles(directory: Path, written: Settings, resolved: Settings) -> Settings:
    """Return the resolved settings with the directories of the included bundles that are written by name."""
    model, accuracy = resolved.model, resolved.accuracy
    if written.model.bundle is not None:
        model = model.model_copy(update={"bundle": find_bundle(written.model.bundle, directory)})
    reference = written.accuracy.agreement_reference
    if reference is not None:
        found = find_bundle(reference, directory)
        accuracy = accuracy.model_copy(update={"agreement_reference": found})
    return resolved.model_copy(update={"model": model, "accuracy": accuracy})


def _mistakes(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> Iterator[tuple[int, str]]:
    """Yield (line, message) for the first validation errors by their lines."""
    found = error.errors(include_url=False, include_context=True)
    details = [
        (_line(detail["loc"], document), number, detail)
        for number, detail in enumerate(found)
        # pydantic reports a list of invalid items as too short as well
        if not (detail["type"] == "too_short" and _has_mistakes_inside(detail["loc"], found))
    ]
    for line, _, detail in heapq.nsmallest(_MAX_LISTED, details):
        place = detail["loc"]
        prefix = f"{dotted(place)}: " if place else ""
        yield line, prefix + _text(detail, document, model)


def _has_mistakes_inside(place: Place, found: list[ErrorDetails]) -> bool:
    """Return whether other mistakes lie below a place."""
    return any(len(one["loc"]) > len(place) and one["loc"][: len(place)] == place for one in found)


def _text(detail: ErrorDetails, document: Document, model: type[BaseModel]) -> str:
    place, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key; {suggestion(place, model)}"
    if kind == "missing":
        return "required, but missing"
    value = _value_at(place, document.data)
    if kind == "value_error":
        text = str(detail["ctx"]["error"])
        return text if isinstance(value, dict | list) else f"{text} (got {_shown(value)})"
    if kind in ("too_short", "string_too_short"):
        least = detail["ctx"]["min_length"]
        many = "expected at least one" if least == 1 else f"expected {least} at least"
        text = many if kind == "too_short" else "expected text that is not empty"
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


def _line(place: Place, document: Document) -> int:
    """Return the line of a key, or of the section in which it is missing."""
    while place and place not in document.lines:
        place = place[:-1]
    return document.lines.get(place, 1)


def dotted(place: Place) -> str:
    """Return a place as text, such as ``cameras[0].name``."""
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
