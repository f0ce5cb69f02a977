"""Watch of a state folder that could not be used at the start: the agent is started again once it can be.

The bundle of the configuration serves meanwhile. A new start is needed, as it decides which model serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edgeagent.delivery.first_model import open_store
from edgeagent.errors import EdgeagentError
from edgeagent.settings.schema import Settings
from edgeagent.timing.backoff import Backoff

FIRST_S, LONGEST_S = 30.0, 600.0


class StateFolderWatch:
    """Tries with back-off to open the deployment record.

    Args:
        settings: of the agent.
        problem: why it could not be opened at the start; None where it could, and nothing is tried.
        clock: returns monotonic seconds.
    """

    def __init__(
        self, settings: Settings, problem: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._problem, self._clock = settings, problem, clock
        self._pauses = Backoff(FIRST_S, LONGEST_S, jitter=0.0)
        self._due_s, self._usable = clock() + self._pauses.next(), False

    def usable(self) -> bool:
        """Return whether the folder can be used although it could not at the start; tried when due."""
        if self._problem is None or self._usable or self._clock() < self._due_s:
            return self._usable
        self._due_s = self._clock() + self._pauses.next()
        try:
            store = open_store(self._settings).store
        except EdgeagentError:
            return False
        if store is not None:
            store.close()
            self._usable = True
        return self._usable

    def raise_usable(self) -> None:
        """Raise what ends the agent when the folder can be used again.

        Raises:
            EdgeagentError: it can be.
        """
        if self._usable:
            raise EdgeagentError(
                "the state folder can be used again; the agent ends, to be started again with the last good "
                "model"
            )
