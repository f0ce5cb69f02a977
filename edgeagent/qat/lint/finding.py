"""Findings of a linter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class LintFinding:
    """Rule that a file breaks.

    Attributes:
        rule: short name of the rule.
        severity: ``error``: the target cannot run it correctly in integers; ``warning``: it loses speed,
            size or accuracy.
        node: name of the node in the file; empty for the whole file.
        message: cause and remedy.
    """

    rule: str
    severity: Severity
    node: str
    message: str


def errors(findings: list[LintFinding]) -> list[LintFinding]:
    """Return the findings that are errors."""
    return [finding for finding in findings if finding.severity == "error"]
