"""Configuration and state of the installed service, for commands that an operator types beside it.

The service reads ``/etc/edgeagent/edgeagent.yaml`` and keeps its state in ``/var/lib/edgeagent``, which the
unit names as ``StateDirectory`` (systemd.exec(5)). A shell has no ``STATE_DIRECTORY``; without this module a
command in a shell would read the state folder of its user.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import MAX_BYTES, YamlMistakeError, parse
from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import default_state

INSTALLED = Path("/etc/edgeagent/edgeagent.yaml")
SERVICE_STATE = Path("/var/lib/edgeagent")


@dataclass(frozen=True)
class ReadConfiguration:
    """Configuration that a command reads.

    Attributes:
        file: of the configuration; None without one.
        settings: of the file; None without one.
        state: state folder of the agent that uses it, as an absolute path or relative to the working folder.
    """

    file: Path | None
    settings: Settings | None
    state: Path


def configuration_file(given: Path | None) -> Path | None:
    """Return the given file, or the installed one where it exists; None without either."""
    return given if given is not None or not _is_there(INSTALLED) else INSTALLED


def require_configuration_file(given: Path | None) -> Path:
    """Return the given file, or the installed one.

    Raises:
        ConfigurationError: none is given, and none is installed.
    """
    file = configuration_file(given)
    if file is None:
        raise ConfigurationError(
            f"no configuration: give one with -c FILE; there is no {INSTALLED} (`edgeagent board --config` "
            "prints one for this board)"
        )
    return file


def read_configuration(given: Path | None, command: str) -> ReadConfiguration:
    """Read the configuration of a command that looks at an agent from beside it.

    Args:
        given: file of the command line; None reads the installed one where it exists.
        command: as an operator types it, such as ``edgeagent status``, for the advice in an error.

    Raises:
        ConfigurationError: the file has mistakes, or this user may not read it.
    """
    file = configuration_file(given)
    if file is None:
        return ReadConfiguration(None, None, _state(None, None))
    if _is_there(file) and not os.access(file, os.R_OK):
        raise ConfigurationError(f"{printable(file)}: this user may not read it; type: sudo {command}")
    settings = load_settings(file)
    return ReadConfiguration(file, settings, _state(file, settings))


def state_despite_mistakes(given: Path | None) -> Path | None:
    """Return the state folder that a configuration with mistakes names.

    Args:
        given: file of the command line; None reads the installed one where it exists.

    Returns:
        The folder; None where the file cannot be read.
    """
    file = configuration_file(given)
    try:
        content = b"" if file is None else file.read_bytes()[: MAX_BYTES + 1]
    except OSError:
        return None
    if file is None:
        return None
    state = _state_key(content)
    return _state(file, None) if state is None else file.parent / state


def _state_key(content: bytes) -> str | None:
    """Return the key ``state`` of a file, also of one that is no YAML after it."""
    lines = [line for line in content.splitlines() if line.startswith(b"state:")]
    for text in (content, *lines):
        try:
            data = parse(text).data
        except YamlMistakeError:
            continue
        if isinstance(data, dict) and isinstance(data.get("state"), str):
            return str(data["state"])
    return None


def _is_there(file: Path) -> bool:
    """Return whether a file exists; one in a folder that this user may not enter counts as there."""
    try:
        file.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _is_installed(file: Path) -> bool:
    """Return whether a file that this user may read is the installed one."""
    try:
        return file.samefile(INSTALLED)
    except OSError:  # not there, or in a folder that this user may not enter
        return False


def _state(file: Path | None, settings: Settings | None) -> Path:
    """Return the configured state folder, that of this unit, of the installed service, or of the user."""
    if settings is not None and settings.state is not None:
        return settings.state
    if "STATE_DIRECTORY" in os.environ:
        return default_state()
    if (file is not None and _is_installed(file)) or (file is None and SERVICE_STATE.is_dir()):
        return SERVICE_STATE
    return default_state()
