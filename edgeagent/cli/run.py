"""The command ``edgeagent run``: the daemon."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.cli.live_source import read_live
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.launcher.launched import launched, note_clean_end, note_up
from edgeagent.settings.device_name import passing_device_name
from edgeagent.settings.file import read_own
from edgeagent.settings.installed import read_configuration, require_configuration_file
from edgeagent.worker.heap import return_freed_memory
from edgeagent.worker.start import end_ahead, start_ahead

if TYPE_CHECKING:
    from edgeagent.delivery.configuration.serving import ServedConfiguration
    from edgeagent.settings.own_configuration import OwnConfiguration

logger = logging.getLogger(__name__)

IGNORED = (signal.SIGUSR1, signal.SIGUSR2)  # their default would end the agent without a word

DESCRIPTION = """\
Detect on the configured cameras and report over MQTT until stopped. The configuration is validated first;
errors are reported with their line, and nothing is started. SIGTERM and SIGINT stop cleanly; SIGHUP reads
the configuration again, as `edgeagent reload` does; SIGUSR1 and SIGUSR2 are ignored. The log is on standard
error.

With --check nothing is started: configuration, cameras (not opened), secrets, bundle and state folder are
checked, and what would run is printed. Exit code 2: configuration or secret; 3: bundle; 5: camera.

examples:
  edgeagent run                                  with /etc/edgeagent/edgeagent.yaml, as the service does
  edgeagent run -c edgeagent.yaml                with another configuration
  edgeagent run -c edgeagent.yaml --check        check it and show what would run"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``run``."""
    parser = commands.add_parser(
        "run",
        help="run the daemon: cameras, detection, telemetry",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file; see config/edgeagent.yaml (default: /etc/edgeagent/edgeagent.yaml)",
    )
    parser.add_argument("--check", action="store_true", help="check, print what would run, and start nothing")
    add_json_options(parser, more=", with --check")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon until a signal, or until all file sources have ended."""
    if arguments.check:
        return _check(arguments)
    if arguments.json:
        raise ConfigurationError("--json goes with --check: the daemon reports over MQTT")
    start_ahead()  # before the agent is imported, which takes as long
    try:
        return _detect(arguments)
    finally:
        end_ahead()


def _detect(arguments: argparse.Namespace) -> int:
    """Run the daemon."""
    from edgeagent.daemon.agent import Agent
    from edgeagent.daemon.part_order import STOP_S
    from edgeagent.daemon.process_name import name_process
    from edgeagent.daemon.restart import start_again

    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)  # all stacks, when the watchdog of systemd sends SIGABRT
    name_process()
    return_freed_memory()
    for number in IGNORED:
        signal.signal(number, _ignore)
    hang_up = HangUp()
    signal.signal(signal.SIGHUP, hang_up)
    try:
        file = require_configuration_file(arguments.config)
        own = read_own(file)
    except EdgeagentError:
        note_up(launched())
        raise
    served = _signed(own)
    settings, live = read_live(file, own, served)
    warning = passing_device_name(settings)
    if warning is not None:
        logger.warning("%s", warning)
    start_end = StartEnd(STOP_S)
    _handle_signals(start_end)
    try:
        agent = Agent(settings, configuration=served, live=live)
    except BaseException as error:  # an import that was interrupted turns SystemExit into an error of its own
        if start_end.requested:
            if served is not None:
                served.close()
            return _stopped()
        if served is not None and isinstance(error, Exception) and served.failed(error):
            end_ahead()
            start_again()
        if isinstance(error, EdgeagentError):
            note_up(launched())  # it says why it cannot run: no failure of this version
        raise
    end_ahead()  # where no worker was needed; a later new start would leave it as a zombie
    if agent.live is not None:
        hang_up.obey(agent.live.request_reload)
    stop = StopRequest(agent.request_stop)
    _handle_signals(stop)
    if start_end.requested:
        stop()
    try:
        agent.run()
    except Exception as error:
        if served is not None and not stop.requested and served.failed(error):
            start_again()
        raise
    finally:
        if served is not None:
            served.close()
    if stop.requested:
        return _stopped()
    if agent.starts_again:
        start_again()
    return _ended()


def _signed(own: OwnConfiguration) -> ServedConfiguration | None:
    """Return the configuration that serves; None without delivery, whose modules take memory."""
    if own.settings.delivery is None:
        return None
    from edgeagent.delivery.configuration.serving import open_configuration

    return open_configuration(own)


def _check(arguments: argparse.Namespace) -> int:
    """Print what would run."""
    # what the daemon does not need
    from edgeagent.cli.run_check import check_lines, check_run
    from edgeagent.delivery.configuration.device_configuration import effective_settings
    from edgeagent.delivery.state.store import FOLDER

    file = require_configuration_file(arguments.config)
    read = read_configuration(file, "-u edgeagent edgeagent run --check")
    assert read.settings is not None  # noqa: S101  (of a file)
    warning = passing_device_name(read.settings)
    if warning is not None:
        logger.warning("%s", warning)
    settings, version = effective_settings(read_own(file), read.state / FOLDER)
    found = {**check_run(file, settings, read.state), "signed_configuration": version}
    for line in check_lines(found):
        print(line)
    give_result(arguments, found)
    return 0


def _ignore(number: int, _: object) -> None:
    name = signal.Signals(number).name
    logger.warning("%s is ignored; SIGHUP reads a changed configuration", name)


def _stopped() -> int:
    """Return the exit status of an end that was asked for, which is none of a version on trial."""
    note_clean_end(launched())
    return _ended()


def _ended() -> int:
    """Return the exit status of a clean end, which no further signal changes."""
    _handle_signals(signal.SIG_IGN)
    gc.freeze()  # the interpreter would search all objects for cycles once more before it ends
    return 0


def _handle_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


class HangUp:
    """Handler of SIGHUP, which reads the configuration again; one at the start waits for its end."""

    def __init__(self) -> None:
        self._waiting = False
        self._reload: Callable[[], None] = lambda: None

    def obey(self, reload: Callable[[], None]) -> None:
        """Call ``reload`` from now on, and at once if a signal waits."""
        self._reload = reload
        if self._waiting:
            reload()

    def __call__(self, *_: object) -> None:
        """Read the configuration again."""
        self._waiting = True
        self._reload()


class StopRequest:
    """Handler of signals that stops the agent; a new start for another configuration is left out then.

    Args:
        stop: makes the agent stop.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.requested = False

    def __call__(self, *_: object) -> None:
        """Stop the agent."""
        self.requested = True
        self._stop()


class StartEnd:
    """Handler of signals that ends the agent while its model starts.

    That may last: while no delegate works, it is tried again. A further signal does not interrupt the end
    that an earlier one began, unless that was lost: C code may drop what a handler raises.

    Args:
        lost_s: seconds after which an end that was begun is taken to be lost.
    """

    def __init__(self, lost_s: float) -> None:
        self._lost_s = lost_s
        self._since: float | None = None

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self._since is not None

    def note(self) -> None:
        """Note a signal that the agent obeys by itself."""
        self._since = self._since or time.monotonic()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise SystemExit."""
        now = time.monotonic()
        if self._since is None or now - self._since > self._lost_s:
            self._since = now
            raise SystemExit(0)
