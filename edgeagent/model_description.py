"""Finding the description of a float model: a file beside it, a file named, or an existing bundle."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.strict_yaml import YamlMistakeError, parse
from edgeagent.errors import DataError


def describe_model(model: Path, file: Path | None = None, like: Path | None = None) -> ModelDescription:
    """Return how a float model is fed and decoded.

    Args:
        model: the float model.
        file: its description; without it and without ``like``, the file beside the model with the suffix
            ``.yaml``.
        like: a bundle whose description fits.

    Raises:
        DataError: there is no description, or it is wrong.
        BundleError: ``like`` is refused.
    """
    if like is not None:
        return ModelDescription.model_validate(open_bundle(like).manifest.model_dump())
    path = file or model.with_suffix(".yaml")
    try:
        document = parse(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{path}: no description of the model {model.name}; write one (models/yolox-nano.yaml is an "
            "example) or name a bundle like it with --like"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: the description cannot be read ({error.strerror})") from None
    except YamlMistakeError as error:
        raise DataError(f"{path}: line {error.line}: {error}") from None
    for line, key in document.duplicates:
        raise DataError(f"{path}: line {line}: the key {key[-1]!r} stands there twice")
    try:
        return ModelDescription.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key, text = first["loc"], first["msg"].removeprefix("Value error, ")
        line = next((document.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in document.lines), 1)
        place = f"{'.'.join(map(str, key))}: " if key else ""
        raise DataError(f"{path}: line {line}: {place}{text}") from None
