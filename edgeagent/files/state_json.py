"""Reading of JSON that may be damaged or hostile: state files, messages, metadata of models.

Damage of any kind gives one error: no JSON, nested too deeply, values of other types, too large. The caller
decides whether that stops, or is left out with a warning.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from edgeagent.files.validation import first_mistake

MAX_BYTES = 32 << 20
"""Largest file or message that is read."""

_Content = TypeVar("_Content")


class DamagedJsonError(ValueError):
    """The content is not what it should be; the message says what is wrong, without the place of the file."""


def read_json(path: Path, kind: type[_Content]) -> _Content:
    """Return the content of a file.

    Args:
        path: of the file.
        kind: its type: a pydantic model, a dataclass, or a dict or list of such.

    Raises:
        DamagedJsonError: the content does not fit.
        OSError: the file is missing or cannot be read.
    """
    with path.open("rb") as file:
        return parse_json(file.read(MAX_BYTES + 1), kind)


def parse_json(content: bytes | str, kind: type[_Content]) -> _Content:
    """Return the content of a message or of a line.

    Raises:
        DamagedJsonError: it does not fit the type; see :func:`read_json`.
    """
    if len(content) > MAX_BYTES:
        raise DamagedJsonError(f"larger than {MAX_BYTES >> 20} MiB")
    try:
        found: _Content = _adapter(cast("Hashable", kind)).validate_json(content)
    except ValidationError as error:
        raise DamagedJsonError(str(first_mistake(error))) from None
    return found


@lru_cache(maxsize=64)
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))
