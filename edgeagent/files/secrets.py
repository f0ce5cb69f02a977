"""Passwords and tokens, each the first line of its own file; never in the configuration or in logs."""

from __future__ import annotations

import logging
import re
import stat
from pathlib import Path

from edgeagent.errors import ConfigurationError

logger = logging.getLogger(__name__)


def read_secret(path: Path, name: str) -> str:
    """Return the first line of a file; log a warning when everybody may read it.

    Args:
        path: of the file.
        name: content of the file in words, such as "the broker's password".

    Raises:
        ConfigurationError: it cannot be read, or its first line is empty.
    """
    secret = next(iter(read_secret_lines(path, name)), "")
    if not secret:
        raise ConfigurationError(f"{path}: {name} cannot be read (its first line is empty)")
    return secret


def read_secret_lines(path: Path, name: str) -> list[str]:
    """Return all lines of a file; log a warning when everybody may read it.

    Args:
        path: of the file.
        name: content of the file in words.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a named pipe would block
            raise ConfigurationError(f"{path}: {name} cannot be read (no regular file)")
        if mode & 0o004:
            logger.warning("%s: everybody can read %s; chmod o-r", path, name)
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        reason = "not UTF-8"
    except OSError as error:
        reason = error.strerror or str(error)
    raise ConfigurationError(f"{path}: {name} cannot be read ({reason})")


def read_header_secret(path: Path, name: str) -> str:
    """Return the first line of a file that is sent in an HTTP header; see :func:`read_secret`.

    Raises:
        ConfigurationError: as there, or it holds what a header cannot carry (RFC 9110, 5.5): HTTP libraries
            would quote the secret in their errors.
    """
    secret = read_secret(path, name)
    if not re.fullmatch(r"[!-~]+", secret):
        raise ConfigurationError(
            f"{path}: {name} has strange characters; expected ASCII letters, digits and signs without spaces"
        )
    return secret
