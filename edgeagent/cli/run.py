"""The command ``edgeagent run``: the daemon."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from edgeagent.daemon.agent import Agent
from edgeagent.settings.file import load_settings

DESCRIPTION = """\
Detect on the configured cameras and report over MQTT until stopped. The configuration is validated first;
errors are reported with their line, and nothing is started. SIGTERM and SIGINT stop cleanly."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``run``."""
    parser = commands.add_parser(
        "run", help="run the daemon: cameras, detection, telemetry", description=DESCRIPTION
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="configuration file; see config/edgeagent.yaml",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon until a signal, or until all file sources have ended."""
    settings = load_settings(arguments.config)
    _handle_signals(_end_start)
    agent = Agent(settings)
    _handle_signals(lambda *_: agent.request_stop())
    agent.run()
    return 0


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _end_start(number: int, frame: FrameType | None) -> None:
    """End the agent while its model starts, which may last: while no delegate works, it is tried again."""
    raise SystemExit(0)
