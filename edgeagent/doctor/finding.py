"""What a check is given and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from edgeagent.settings.schema import Settings

Verdict = Literal["ok", "warning", "problem", "not there"]
"""``not there``: this board does not have it and may do without; ``problem``: it stops what was asked for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        about: what was looked at.
        verdict: how it is.
        found: what was found.
        action: what to do about it; empty where nothing is to be done.
    """

    about: str
    verdict: Verdict
    found: str
    action: str = ""


@dataclass(frozen=True)
class ExaminedSystem:
    """What checks look at.

    Attributes:
        root: below which /sys, /proc, /dev, /etc, /run and /var lie; another one for the tree of a board.
        settings: the configuration; None without one.
        now: the wall clock, UTC.
    """

    root: Path = Path("/")
    settings: Settings | None = None
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def live(self) -> bool:
        """Whether this is the machine itself, so that its programs may be asked too."""
        return self.root == Path("/")


Check = Callable[[ExaminedSystem], list[Finding]]


def read_file(path: Path) -> str | None:
    """Return the text of a file without NULs and blanks around it; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return None
