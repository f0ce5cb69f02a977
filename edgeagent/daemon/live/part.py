"""Protocol of the parts of the agent that follow changed settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgeagent.settings.live.comparison import SettingsChange


def _nothing() -> None:
    return


@dataclass(frozen=True)
class LiveStep:
    """What a part does to follow a change; neither is expected to fail.

    Attributes:
        commit: takes the new settings, between two frames and never waiting for anything.
        after: stops and starts threads when all parts have committed; frames go on meanwhile.
    """

    commit: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing


class LivePart(Protocol):
    """Part that follows changed settings."""

    def prepare(self, change: SettingsChange) -> LiveStep | None:
        """Build what the new settings need, and change nothing; None where the part is not concerned.

        Raises:
            EdgeagentError: the part cannot follow; the old settings go on.
        """
