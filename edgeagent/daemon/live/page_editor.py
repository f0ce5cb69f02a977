"""Settings that are changed on the live page: zones and thresholds as live changes, a first configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.settings.live.result import LiveResult
from edgeagent.settings.live.saving import NotWritableError

if TYPE_CHECKING:
    from edgeagent.daemon.live.live_changes import LiveChanges

_Answer = TypeVar("_Answer")

BROKER_PASSWORD = "broker-password"  # noqa: S105 (a file)
"""Name of the file in the state folder."""
CONTINUES = "the file cannot be written by the agent; an administrator types: sudo edgeagent live save"


class PageEditor:
    """Editor of settings; see :class:`edgeagent.web.page_facts.SettingsEditor`.

    Args:
        changes: live changes of the agent.
        state: state folder.
    """

    def __init__(self, changes: LiveChanges, state: Path) -> None:
        self._changes, self._state = changes, state

    def save_zones(self, camera: str, zones: Sequence[dict[str, Any]], who: str) -> None:
        """Replace the zones of a camera.

        Raises:
            ConfigurationError: they are refused or cannot be kept, and nothing has changed.
        """
        self.set_keys({f"cameras.{camera}.zones": list(zones)}, who)

    def set_keys(self, values: Mapping[str, Any], who: str) -> None:
        """Change keys that may be set from outside.

        Raises:
            ConfigurationError: they are refused or cannot be kept, and nothing has changed.
        """
        _told(lambda: self._changes.propose(values, _by(who), remote=True))

    def configure(
        self, values: Mapping[str, Any], broker_password: str | None, who: str
    ) -> tuple[LiveResult, str | None]:
        """Write keys into the configuration file; as live changes where it cannot be written.

        Args:
            values: by key; a camera that is None is removed.
            broker_password: is written into a file of the state folder; None leaves that as it is.
            who: name of the user.

        Returns:
            What was applied and what waits for a new start; what is left to do, None where nothing is.

        Raises:
            ConfigurationError: they are refused, and nothing has changed.
        """
        file = (self._state / BROKER_PASSWORD).absolute()
        if broker_password is not None:
            values = {**values, "mqtt.password_file": str(file)}
        left = None
        try:
            result = _told(lambda: self._changes.write(values, _by(who)))
        except NotWritableError:
            result = _told(lambda: self._changes.propose(values, _by(who), may_wait=True))
            left = CONTINUES
        if broker_password is not None:  # read at the next start; a change that is refused leaves the old one
            _told(lambda: write_state(file, f"{broker_password}\n".encode()))
        return result, left


def _by(who: str) -> str:
    return f"live page: {who}"


def _told(act: Callable[[], _Answer]) -> _Answer:
    """Return what a change returns; every refusal of it is a ConfigurationError."""
    try:
        return act()
    except ConfigurationError:
        raise
    except EdgeagentError as error:
        raise ConfigurationError(str(error)) from error
