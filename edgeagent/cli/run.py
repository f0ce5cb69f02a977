"""The command ``edgeagent run``: the daemon."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from edgeagent.daemon.agent import STOP_S, Agent
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
    start_end = StartEnd()
    _handle_signals(start_end)
    try:
        agent = Agent(settings)
    except BaseException:  # an import that was interrupted turns SystemExit into an error of its own
        if not start_end.requested:
            raise
        return _ended()
    _handle_signals(lambda *_: agent.request_stop())
    if start_end.requested:
        agent.request_stop()
    agent.run()
    return _ended()


def _ignore(number: int, _: object) -> None:
    name = signal.Signals(number).name
    logger.warning("%s is ignored; to use a changed configuration, restart the agent", name)


def _ended() -> int:
    """Return the exit status of a clean end, which no further signal changes."""
    _handle_signals(signal.SIG_IGN)
    gc.freeze()  # the interpreter would search all objects for cycles once more before it ends
    return 0


def _handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


class StartEnd:
    """Handler of signals that ends the agent while its model starts.

    That may last: while no delegate works, it is tried again. A further signal does not interrupt the end
    that an earlier one began, unless that was lost: C code may drop what a handler raises.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self._since is not None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise SystemExit."""
        now = time.monotonic()
        if self._since is None or now - self._since > STOP_S:
            self._since = now
            raise SystemExit(0)
