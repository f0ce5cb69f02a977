"""Findings as text: what matters first, in lines that fit a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from edgeagent.doctor.finding import Finding, Verdict
from edgeagent.files.naming import escape_controls

ORDER: tuple[Verdict, ...] = ("problem", "warning", "ok", "not there")
WIDTH = 80
_VERDICT, _ABOUT = 11, 26
_COLOURS: dict[Verdict, str] = {"problem": "1;31", "warning": "33", "ok": "32", "not there": "2"}


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings by verdict: problems, warnings, what is right, what is not there."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.verdict))


def listing(findings: Sequence[Finding], width: int = WIDTH, *, colours: bool = False) -> Iterator[str]:
    """Yield lines of at most ``width`` characters; a word that is longer, such as a path, is broken.

    Control characters in what was found, such as in the tree of another board, do not reach the terminal.

    Args:
        findings: in their order.
        width: of the terminal, 60 at least.
        colours: whether verdicts are coloured (ECMA-48, SGR).
    """
    for finding in findings:
        verdict = f"{finding.verdict:<{_VERDICT}}"
        if colours:
            verdict = f"\033[{_COLOURS[finding.verdict]}m{verdict}\033[0m"
        about = escape_controls(finding.about)
        rest = _wrapped(finding, width - _VERDICT - _ABOUT)
        if len(about) < _ABOUT:
            yield f"{verdict}{about:<{_ABOUT}}{rest[0]}"
            rest = rest[1:]
        else:
            first, *more = textwrap.wrap(about, width - _VERDICT)
            yield f"{verdict}{first}"
            yield from (" " * _VERDICT + line for line in more)
        yield from (" " * (_VERDICT + _ABOUT) + line for line in rest)


def _wrapped(finding: Finding, width: int) -> list[str]:
    parts = map(escape_controls, finding.found.splitlines())
    lines = [line for part in parts for line in textwrap.wrap(part, width)]
    if finding.action:
        lines += textwrap.wrap(f"-> {escape_controls(finding.action)}", width, subsequent_indent="   ")
    return lines or [""]
