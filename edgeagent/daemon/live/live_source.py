"""Where the settings of a running agent come from, and how they are read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.settings.live.changes import LiveChange
from edgeagent.settings.live.layers import LowerLayers, ReadBase


@dataclass(frozen=True)
class LiveSource:
    """Where the settings of the agent come from.

    Attributes:
        file: configuration file of the board.
        base: file and signed configuration, as they were read at the start.
        changes: live changes of earlier runs that serve.
        read: reads file and signed configuration again.
        taken: called with what was read, when it runs.
        hindrance: returns why nothing may be changed now; None when it may.
    """

    file: Path
    base: LowerLayers
    changes: tuple[LiveChange, ...]
    read: ReadBase
    taken: Callable[[LowerLayers], None] = lambda base: None
    hindrance: Callable[[], str | None] = lambda: None
