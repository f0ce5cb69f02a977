"""Lines about the tree of a board."""

from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.finding import Check, ExaminedSystem, Finding
from edgeagent.settings.schema import Settings
from tests.sensors.tree import unpack

CAMERA = {"name": "front", "source": "0"}


def look(check: Check, board: str, folder: Path, settings: Settings | None = None) -> list[Finding]:
    """Unpack a board and return what a check says about it."""
    return check(ExaminedSystem(unpack(board, folder), settings))


def short(lines: list[Finding]) -> list[tuple[str, str, str]]:
    """Return lines without what to do."""
    return [(line.about, line.verdict, line.found) for line in lines]


def configured(**changes: object) -> Settings:
    """Return a configuration with one camera."""
    return Settings.model_validate({"device": "door", "cameras": [CAMERA], **changes})
