"""The command ``edgeagent run``: the daemon."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from edgeagent.daemon.agent import Agent
from edgeagent.settings.device_name import passing_device_name
from edgeagent.settings.file import load_settings

logger = logging.getLogger(__name__)

IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)  # their default would end the agent without a word

DESCRIPTION = """\
Detect on the configured cameras and report over MQTT until stopped. The configuration is validated first;
errors are reported with their line, and nothing is started. SIGTERM and SIGINT stop cleanly;
SIGHUP, SIGUSR1 and SIGUSR2 are ignored."""


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
    for number in IGNORED:
        signal.signal(number, _ignore)
    settings = load_settings(arguments.config)
    warning = passing_device_name(settings)
    if warning is not None:
        logger.warning("%s", warning)
    _handle_signals(_end_start)
    agent = Agent(settings)
    _handle_signals(lambda *_: agent.request_stop())
    agent.run()
    gc.freeze()  # the interpreter would search all objects for cycles once more before it ends
    return 0


def _ignore(number: int, _: object) -> None:
    name = signal.Signals(number).name
    logger.warning("%s is ignored; to use a changed configuration, restart the agent", name)


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _end_start(number: int, frame: FrameType | None) -> None:
    """End the agent while its model starts, which may last: while no delegate works, it is tried again."""
    raise SystemExit(0)
