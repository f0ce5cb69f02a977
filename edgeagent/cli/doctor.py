"""The command ``edgeagent doctor``: examination of a board with recommended actions."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.detection.journal import JOURNAL, Journal
from edgeagent.doctor.delegates import impossible_delegates
from edgeagent.doctor.examination import examine
from edgeagent.doctor.finding import ExaminedSystem, Finding
from edgeagent.doctor.listing import WIDTH, in_order, listing
from edgeagent.errors import ConfigurationError
from edgeagent.settings.installed import ReadConfiguration, read_configuration
from edgeagent.settings.state import default_state

DESCRIPTION = """\
Examine this board: system, delegates and the requirements of missing ones, version compatibility, cameras,
sensors, permissions, broker, clock, disk and memory. Problems are listed first, then warnings. Nothing is
changed, and no camera is opened. The configuration of the installed service is examined where there is one;
run the command as the user of the service. The exit code is 1 when there is a problem.

examples:
  sudo -u edgeagent edgeagent doctor             the installed service
  edgeagent doctor -c edgeagent.yaml             this board with another configuration
  edgeagent doctor --all                         with all delegates, also those of other boards
  edgeagent doctor --json                        one JSON object with every finding"""

LIVE = Path("/")


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
        help="configuration whose cameras, broker and engine are checked too (default: "
        "/etc/edgeagent/edgeagent.yaml where it exists)",
    )
    parser.add_argument(
        "--forgive",
        action="store_true",
        help="let the agent retry the delegates that took the machine down; performs no checks",
    )
    parser.add_argument(
        "--all", action="store_true", help="list the delegates that this board cannot run too"
    )
    add_json_options(parser)
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
    read, findings = _configuration(arguments)
    if arguments.forgive:
        return _forgive(read)
    system = ExaminedSystem(
        arguments.root,
        read.settings if read else None,
        read.state if read and arguments.root == LIVE else None,
    )
    findings = in_order([*findings, *examine(system)])
    problems = sum(finding.verdict == "problem" for finding in findings)
    if arguments.json:
        give_result(arguments, {"problems": problems, "lines": [asdict(finding) for finding in findings]})
    else:
        _show(findings, frozenset() if arguments.all else impossible_delegates(system))
        print(_summary(findings))
    return 1 if problems else 0


def _forgive(read: ReadConfiguration | None) -> int:
    journal = Journal((read.state if read else default_state()) / JOURNAL)
    suspects = journal.suspects()
    for key in suspects:
        journal.write("forgive", key)
        print(f"{key}: will be tried again at the next start of the agent")
    if not suspects:
        print("there is nothing to forgive: the machine did not go down during a trial")
    return 0


def _configuration(arguments: argparse.Namespace) -> tuple[ReadConfiguration | None, list[Finding]]:
    """Read the configuration; the tree of another board has none but the given one."""
    if arguments.root != LIVE and arguments.config is None:
        return None, [_no_configuration()]
    try:
        read = read_configuration(arguments.config, "-u edgeagent edgeagent doctor")
    except ConfigurationError as error:
        return None, [Finding("configuration", "problem", str(error))]
    if read.file is None:
        return read, [_no_configuration()]
    return read, [Finding("configuration", "ok", str(read.file))]


def _no_configuration() -> Finding:
    return Finding("configuration", "not there", "none given", "edgeagent doctor -c FILE checks it too")


def _show(findings: list[Finding], left_out: frozenset[str]) -> None:
    terminal = sys.stdout.isatty()
    width = max(60, min(WIDTH, shutil.get_terminal_size().columns)) if terminal else WIDTH
    shown = [
        finding for finding in findings if finding.about not in left_out or finding.verdict != "not there"
    ]
    colours = terminal and "NO_COLOR" not in os.environ
    for line in listing(shown, width, colours=colours):
        print(line)
    count = len(findings) - len(shown)
    if count:
        print(f"{count} delegates that this board cannot run are left out; --all lists them")


def _summary(findings: Sequence[Finding]) -> str:
    """Return the last line: how many problems, and how many warnings where there are some."""
    problems, warnings = (
        sum(finding.verdict == verdict for finding in findings) for verdict in ("problem", "warning")
    )
    line = f"{problems or 'no'} problem{'' if problems == 1 else 's'}"
    return f"{line}, {warnings} warning{'' if warnings == 1 else 's'}" if warnings else line
