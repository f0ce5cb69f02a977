"""``edgeagent reload``: make the running agent read its configuration file again."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.daemon.live.control_client import ask_agent
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.settings.installed import read_configuration, state_despite_mistakes

DESCRIPTION = """\
Make the running agent read its configuration file again and apply what changes while it runs: cameras,
zones, thresholds, labels, rates (docs/live-changes.md). Cameras that are as before lose no frame. A file with
mistakes is refused whole, and the agent goes on as before. Keys that need a new start are printed with the
reason.

Exit code 0: the agent runs with the file; 1: some keys need a new start (the rest is applied), or no agent
answers; 2: the file has mistakes, and nothing has changed.

examples:
  edgeagent reload                               the installed service, as systemctl reload edgeagent
  edgeagent reload -c edgeagent.yaml             the agent that uses the state folder of this configuration
  edgeagent reload --json                        applied and waiting keys as one JSON object"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``reload``."""
    parser = commands.add_parser(
        "reload",
        help="make the running agent read its configuration again",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_agent_options(parser)
    add_json_options(parser)
    parser.set_defaults(run=run)


def add_agent_options(parser: argparse.ArgumentParser) -> None:
    """Add ``-c`` and ``--state``, which say whose agent is meant."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration of the agent (default: /etc/edgeagent/edgeagent.yaml where it exists)",
    )
    where.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="state folder of the agent (default: that of the configuration or the service)",
    )


def agent_state(arguments: argparse.Namespace, command: str) -> Path:
    """Return the state folder of the agent that the options name.

    Raises:
        ConfigurationError: the configuration file has mistakes, or this user may not read it.
    """
    if arguments.state is not None:
        return Path(arguments.state)
    return read_configuration(arguments.config, command).state


def run(arguments: argparse.Namespace) -> int:
    """Reload, and print what came of it."""
    try:
        state = agent_state(arguments, "edgeagent reload")
    except ConfigurationError:
        _let_the_agent_refuse(arguments)
        raise
    result = ask_agent(state, {"request": "reload"})
    print_result(result)
    give_result(arguments, result)
    return 1 if result["waiting"] else 0


def _let_the_agent_refuse(arguments: argparse.Namespace) -> None:
    """Make the agent read a file with mistakes, too: its log and its event tell them."""
    state = state_despite_mistakes(arguments.config)
    if state is not None:
        with suppress(EdgeagentError):  # it refuses, or does not run
            ask_agent(state, {"request": "reload"})


def print_result(result: dict[str, Any]) -> None:
    """Print applied, waiting and hidden keys."""
    for key in result["applied"]:
        print(f"{'applied':<12}{key}")
    for key, why in result["waiting"].items():
        print(f"{'new start':<12}{key}: {why}")
    for key in result["hidden"]:
        print(f"{'no effect':<12}{key}: a live change holds it (edgeagent live undo {key})")
    if not result["applied"]:
        print("nothing has changed")
