"""Request headers from a file, each a line ``Name: value`` (RFC 9110, 5); their values are secrets."""

from __future__ import annotations

import re
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret_lines

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]+")
OWN = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"}
)
"""Headers that belong to the exporter."""


def read_headers(path: Path, name: str) -> dict[str, str]:
    """Return the headers of a file, in small letters; lines that are empty or begin with ``#`` are none.

    Args:
        path: of the file.
        name: content of the file in words.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no header; its value is not named.
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(read_secret_lines(path, name), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon or not _NAME.fullmatch(key) or not _VALUE.fullmatch(value):
            raise ConfigurationError(f"{path}:{number}: expected a header, Name: value, in ASCII")
        if key.lower() in OWN:
            raise ConfigurationError(f"{path}:{number}: {key} is set by the exporter; leave it out")
        if key.lower() in headers:
            raise ConfigurationError(f"{path}:{number}: {key} stands there twice")
        headers[key.lower()] = value
    if not headers:
        raise ConfigurationError(f"{path}: {name} cannot be read (it has no header)")
    return headers
