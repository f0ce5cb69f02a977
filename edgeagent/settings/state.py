"""State folder of the agent: the configured one, or the default of the system."""

from __future__ import annotations

import os
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.settings.schema import Settings


def state_folder(settings: Settings) -> Path:
    """Return the folder in which an agent with these settings keeps its state."""
    return settings.state or default_state()


def default_state() -> Path:
    """Return systemd's ``StateDirectory``; without one ``edgeagent`` in the user's own state folder.

    See systemd.exec(5), ``STATE_DIRECTORY``, and the XDG base directory specification.

    Raises:
        ConfigurationError: none is given, and the user has no home folder.
    """
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    if base:
        return Path(base) / "edgeagent"
    try:
        return Path.home() / ".local" / "state" / "edgeagent"
    except RuntimeError:
        raise ConfigurationError(
            "this user has no home folder for the agent's state; give `state` in the configuration, or set "
            "STATE_DIRECTORY"
        ) from None
