"""Parts of the agent that follow changed settings by one function."""

from __future__ import annotations

from collections.abc import Callable

from edgeagent.daemon.live.part import LiveStep
from edgeagent.settings.live.comparison import SettingsChange


class Following:
    """Part that takes new settings by a function, between two frames.

    Args:
        take: takes a change.
        *paths: keys and sections that concern it; all without one.
        after: takes it when all parts have committed, where files or threads are concerned.
    """

    def __init__(
        self,
        take: Callable[[SettingsChange], None] | None,
        *paths: str,
        after: Callable[[SettingsChange], None] | None = None,
    ) -> None:
        self._take, self._paths, self._after = take, paths, after

    def prepare(self, change: SettingsChange) -> LiveStep | None:
        """Return a step that calls the functions; None where no key concerns the part."""
        if self._paths and not change.touches(*self._paths):
            return None
        return LiveStep(lambda: _call(self._take, change), lambda: _call(self._after, change))


def _call(function: Callable[[SettingsChange], None] | None, change: SettingsChange) -> None:
    if function is not None:
        function(change)
