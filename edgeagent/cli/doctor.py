"""The command ``edgeagent doctor``: examination of a board with recommended actions."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from edgeagent.detection.journal import Journal
from edgeagent.doctor.delegates import journal_of
from edgeagent.doctor.examination import examine
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.errors import ConfigurationError
from edgeagent.settings.file import load_settings
from edgeagent.settings.schema import Settings

DESCRIPTION = """\
Examine this board: system, delegates and the requirements of missing ones, version compatibility, cameras,
sensors, permissions, broker, clock, disk and memory. Nothing is changed, and no camera is opened. Run it as
the user of the service. The exit code is 1 when there is a problem."""

STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red", "not there": "dim"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="what this board has, what is wrong, and what to do",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration whose cameras, broker and engine are checked too",
    )
    parser.add_argument(
        "--forgive",
        action="store_true",
        help="let the agent retry the delegates that took the machine down; performs no checks",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="examine a copy of a board's /sys, /proc, /dev (default: this machine)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine the board and print the findings; return 1 when there is a problem."""
    settings, findings = _configuration(arguments.config)
    if arguments.forgive:
        return _forgive(settings)
    findings += examine(ExaminedSystem(arguments.root, settings))
    problems = sum(finding.verdict == "problem" for finding in findings)
    if arguments.json:
        print(
            json.dumps({"problems": problems, "lines": [asdict(finding) for finding in findings]}, indent=2)
        )
    else:
        _show(findings)
        print(f"{problems or 'no'} problem{'' if problems == 1 else 's'}")
    return 1 if problems else 0


def _forgive(settings: Settings | None) -> int:
    journal = Journal(journal_of(settings))
    suspects = journal.suspects()
    for key in suspects:
        journal.write("forgive", key)
        print(f"{key}: will be tried again at the next start of the agent")
    if not suspects:
        print("there is nothing to forgive: the machine did not go down during a trial")
    return 0


def _configuration(path: Path | None) -> tuple[Settings | None, list[Finding]]:
    if path is None:
        return None, [
            Finding("configuration", "not there", "none given", "edgeagent doctor -c FILE checks it too")
        ]
    try:
        return load_settings(path), [Finding("configuration", "ok", str(path))]
    except ConfigurationError as error:
        return None, [Finding("configuration", "problem", str(error))]


def _show(findings: list[Finding]) -> None:
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:  # rich is optional
        for finding in findings:
            action = f" -> {finding.action}" if finding.action else ""
            print(f"{finding.verdict:<9}  {finding.about}: {finding.found}{action}")
        return
    table = Table("", "what", "found", "what to do")
    for finding in findings:
        verdict = f"[{STYLES[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(verdict, escape(finding.about), escape(finding.found), escape(finding.action))
    Console().print(table)
