"""The command ``edgeagent run``: the daemon."""

from __future__ import annotations

import argparse
import logging
import signal
from pathlib import Path

from edgeagent.daemon.agent import Agent
from edgeagent.settings.device_name import passing_device_name
from edgeagent.settings.file import load_settings

logger = logging.getLogger(__name__)

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
    warning = passing_device_name(settings)
    if warning is not None:
        logger.warning("%s", warning)
    agent = Agent(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.request_stop())
    agent.run()
    return 0
