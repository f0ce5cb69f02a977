"""Findings about the tree of a board."""

from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.finding import Check, ExaminedSystem, Finding
from edgeagent.settings.schema import Settings
from tests.sensors.tree import unpack

CAMERA = {"name": "front", "source": "0"}


def findings_of(check: Check, board: str, folder: Path, settings: Settings | None = None) -> list[Finding]:
    """Unpack the tree of a board and return the findings of a check."""
    return check(ExaminedSystem(unpack(board, folder), settings))


def without_actions(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """Return findings without their actions."""
    return [(finding.about, finding.verdict, finding.found) for finding in findings]


def configured(**changes: object) -> Settings:
    """Return a configuration with one camera."""
    return Settings.model_validate({"device": "door", "cameras": [CAMERA], **changes})
