"""``edgeagent doctor``: what this board has, what is wrong, and what to do."""

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
Look at this board: system, delegates and why the others are not there, versions that belong together,
cameras, sensors, permissions, broker, clock and room. Nothing is changed, and no camera is opened. Run it as
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
        "-c", "--config", type=Path, metavar="FILE", help="configuration whose cameras and broker to try"
    )
    parser.add_argument(
        "--forgive",
        action="store_true",
        help="let the agent try again what the machine went down with, and do nothing else",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="look at a copy of a board's /sys, /proc, /dev",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine and print; 1 when there is a problem."""
    settings, lines = _configuration(arguments.config)
    if arguments.forgive:
        return _forgive(settings)
    lines += examine(ExaminedSystem(arguments.root, settings))
    problems = sum(line.verdict == "problem" for line in lines)
    if arguments.json:
        print(json.dumps({"problems": problems, "lines": [asdict(line) for line in lines]}, indent=2))
    else:
        _show(lines)
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
            Finding("configuration", "not there", "none given", "edgeagent doctor -c FILE tries it too")
        ]
    try:
        return load_settings(path), [Finding("configuration", "ok", str(path))]
    except ConfigurationError as error:
        return None, [Finding("configuration", "problem", str(error))]


def _show(lines: list[Finding]) -> None:
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:  # a board that only detects does not have it
        for line in lines:
            print(
                f"{line.verdict:<9}  {line.about}: {line.found}{f' -> {line.action}' if line.action else ''}"
            )
        return
    table = Table("", "what", "found", "what to do")
    for line in lines:
        verdict = f"[{STYLES[line.verdict]}]{line.verdict}[/]"
        table.add_row(verdict, escape(line.about), escape(line.found), escape(line.action))
    Console().print(table)
