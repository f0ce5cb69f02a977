"""Where the program keeps its state."""

from __future__ import annotations

import os
from pathlib import Path


def default_state() -> Path:
    """Return where this program keeps its state: systemd's ``StateDirectory``, or the user's own."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "edgeagent"
