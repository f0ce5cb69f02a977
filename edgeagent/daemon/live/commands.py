"""Commands ``set`` and ``undo`` of MQTT on the live changes: only keys that may be set from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeagent.daemon.live.live_changes import LiveChanges


class LiveCommands:
    """Target of the commands.

    Args:
        live: live changes of the agent.
    """

    def __init__(self, live: LiveChanges) -> None:
        self._live = live

    def set_keys(self, values: Mapping[str, Any], by: str | None) -> str:
        """Change keys, and return what was applied.

        Raises:
            EdgeagentError: see :meth:`LiveChanges.propose`.
        """
        return self._live.propose(values, _who(by), remote=True).describe()

    def undo_keys(self, keys: Sequence[str], by: str | None) -> str:
        """Remove live changes, and return what was applied.

        Raises:
            EdgeagentError: see :meth:`LiveChanges.undo`.
        """
        return self._live.undo(_who(by), keys, remote=True).describe()


def _who(by: str | None) -> str:
    """Return who sends a command; the broker, not the device, knows whether that is true."""
    return "mqtt" if by is None else f"mqtt, {by}"
