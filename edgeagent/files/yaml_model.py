"""Loading of a YAML file into a pydantic model, with the line of a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edgeagent.errors import EdgeagentError
from edgeagent.files.strict_yaml import YamlMistakeError, parse
from edgeagent.files.validation import first_mistake

_Model = TypeVar("_Model", bound=BaseModel)


def load_model(
    path: Path, model: type[_Model], what: str, error: type[EdgeagentError], advice: str
) -> _Model:
    """Read and validate a file.

    Args:
        path: of the file.
        model: type of its content.
        what: name of the content in messages, such as ``the description``.
        error: type to raise.
        advice: text of the error for a missing file.

    Raises:
        EdgeagentError: of the given type: the file is missing, unreadable, or does not fit the model.
    """
    try:
        document = parse(path.read_bytes())
    except FileNotFoundError:
        raise error(f"{path}: {advice}") from None
    except OSError as reason:
        raise error(f"{path}: {what} cannot be read ({reason.strerror})") from None
    except YamlMistakeError as mistake:
        raise error(f"{path}: line {mistake.line}: {mistake}") from None
    for line, key in document.duplicates:
        raise error(f"{path}: line {line}: the key {key[-1]!r} stands there twice")
    try:
        return model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as mistakes:
        first = first_mistake(mistakes)
        place = first.place
        known = (place[:n] for n in range(len(place), 0, -1) if place[:n] in document.lines)
        line = next((document.lines[key] for key in known), 1)
        raise error(f"{path}: line {line}: {first}") from None
