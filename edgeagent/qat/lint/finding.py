"""What a linter of artefacts finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class LintFinding:
    """One rule that a file breaks.

    Attributes:
        rule: short name of the rule.
        severity: ``error`` keeps the target from running it right or in integers; ``warning`` costs speed,
            size or accuracy.
        node: where, as the file names it; empty for the whole file.
        message: what is wrong and what to do.
    """

    rule: str
    severity: Severity
    node: str
    message: str


def errors(findings: list[LintFinding]) -> list[LintFinding]:
    """Return the findings that are errors."""
    return [finding for finding in findings if finding.severity == "error"]
