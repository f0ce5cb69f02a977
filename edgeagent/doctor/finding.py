"""Input and output of a check: the examined system and its findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from edgeagent.settings.schema import Settings
from edgeagent.settings.state import default_state

Verdict = Literal["ok", "warning", "problem", "not there"]
"""``not there``: absent and optional on this board; ``problem``: prevents the configured operation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check.

    Attributes:
        about: the examined part.
        verdict: its state.
        found: observation, for display.
        action: recommended action; empty when none is needed.
    """

    about: str
    verdict: Verdict
    found: str
    action: str = ""


@dataclass(frozen=True)
class ExaminedSystem:
    """System under examination.

    Attributes:
        root: directory that holds /sys, /proc, /dev, /etc, /run and /var; a copy of a board's tree in tests.
        settings: configuration; None without one.
        state: state folder of the agent; None for the configured one, or the default of this user.
        now: wall-clock time in UTC.
    """

    root: Path = Path("/")
    settings: Settings | None = None
    state: Path | None = None
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def live(self) -> bool:
        """Whether this is the running machine, so that its programs can be queried."""
        return self.root == Path("/")

    @property
    def state_folder(self) -> Path:
        """The state folder of the agent."""
        return self.state or (self.settings.state if self.settings else None) or default_state()


Check = Callable[[ExaminedSystem], list[Finding]]


def read_file(path: Path) -> str | None:
    """Return the text of a file without surrounding NULs and blanks; None when unreadable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return None
