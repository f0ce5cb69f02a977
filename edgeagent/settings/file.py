"""Configuration file: YAML in the subset of :mod:`edgeagent.files.strict_yaml`, examined with its lines."""

from __future__ import annotations

import stat
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import MAX_BYTES
from edgeagent.settings.examination import parse_document, settings_at, validate
from edgeagent.settings.own_configuration import OwnConfiguration
from edgeagent.settings.schema import Settings


def load_settings(path: str | Path) -> Settings:
    """Return the settings of a file; relative paths are resolved against its directory.

    Raises:
        ConfigurationError: the file cannot be read or has mistakes. Each line of the message is
            ``FILE:LINE: key.path: what was expected (got ...)``.
    """
    return read_own(Path(path)).settings


def read_own(path: Path) -> OwnConfiguration:
    """Return the configuration of a board: its settings, and the keys that its file has.

    Raises:
        ConfigurationError: see :func:`load_settings`.
    """
    shown = printable(path)
    document = parse_document(_read(path), shown)
    settings = settings_at(path.parent, validate(document, shown))
    return OwnConfiguration(path.parent, document, settings)


def _read(path: Path) -> bytes:
    """Read a file; a named pipe without a writer would keep its reader waiting for ever, and is refused."""
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            raise ConfigurationError(f"{printable(path)}: is a named pipe; name a file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            f"{printable(path)}: no such file; name the configuration file with -c"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{printable(path)}: cannot be read ({error.strerror})") from None
