"""The state folder that the settings name."""

from __future__ import annotations

from pathlib import Path

from edgeagent.files.state_folder import default_state
from edgeagent.settings.schema import Settings


def state_folder(settings: Settings) -> Path:
    """Return where the agent keeps its state."""
    return settings.state or default_state()
