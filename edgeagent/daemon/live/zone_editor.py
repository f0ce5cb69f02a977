"""Zones that are drawn on the live page, as live changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgeagent.errors import ConfigurationError, EdgeagentError

if TYPE_CHECKING:
    from edgeagent.daemon.live.live_changes import LiveChanges


class ZoneEditor:
    """Editor of the zones of cameras; see :class:`edgeagent.web.page_facts.SettingsEditor`.

    Args:
        changes: live changes of the agent.
    """

    def __init__(self, changes: LiveChanges) -> None:
        self._changes = changes

    def save_zones(self, camera: str, zones: Sequence[dict[str, Any]], who: str) -> None:
        """Replace the zones of a camera.

        Raises:
            ConfigurationError: they are refused or cannot be kept, and nothing has changed.
        """
        values = {f"cameras.{camera}.zones": list(zones)}
        try:
            self._changes.propose(values, f"live page: {who}", remote=True)
        except ConfigurationError:
            raise
        except EdgeagentError as error:
            raise ConfigurationError(str(error)) from error
