"""Action: a program of the board. No shell, a small environment, a deadline, one at a time for a rule."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from queue import SimpleQueue

from edgeagent.settings.sections.actions import CommandSettings
from edgeagent.telemetry.actions.action_event import ActionEvent
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

MOST_WAITING = 16
"""Events that wait for the program; further ones are dropped."""
PASSED_ON = ("PATH", "HOME", "LANG", "TZ")
"""Variables of the environment that the program gets."""


class CommandAction:
    """Program that is run for each event.

    Args:
        rule: name of the rule.
        settings: program and deadline.
    """

    def __init__(self, rule: str, settings: CommandSettings) -> None:
        self._rule, self._settings = rule, settings
        self._events: SimpleQueue[ActionEvent | None] = SimpleQueue()
        self._stopping = False
        self._running: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._repeats = RepeatLimit()
        self._thread = GuardedThread(self._run, f"command-{rule}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Kill a program that runs, and stop the thread."""
        self._events.put(None)
        with self._lock:
            self._stopping = True
            if self._running is not None:
                _kill_group(self._running)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def act(self, event: ActionEvent) -> None:
        """Have the program run."""
        if self._events.qsize() >= MOST_WAITING:
            self._report(f"{MOST_WAITING} events wait for the program; further ones are dropped")
            return
        self._events.put(event)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            self._run_program(event.payload())

    def _run_program(self, given: bytes) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with self._lock:
            if self._stopping:
                return
            try:
                process = self._running = subprocess.Popen(  # noqa: S603 - that is its purpose
                    self._settings.arguments,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                self._report(f"{self._settings.arguments[0]} cannot be started ({error.strerror})")
                return
        killed = False
        try:
            process.communicate(given, timeout=self._settings.timeout)
        except subprocess.TimeoutExpired:
            self._report(f"the program took more than {self._settings.timeout:g} s, and was killed")
            _kill_group(process)
            process.communicate()
            killed = True
        finally:
            with self._lock:
                self._running = None
        if process.returncode > 0:
            self._report(f"the program ended with {process.returncode}")
        elif process.returncode < 0 and not killed and not self._stopping:
            self._report(f"the program was ended by {_signal_name(-process.returncode)}")

    def _report(self, text: str) -> None:
        if self._repeats.allows(text, time.monotonic()):
            logger.warning("action %s: %s", self._rule, text)


def _signal_name(number: int) -> str:
    """Return the name of a signal; a real-time signal has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program and those that it has started, as far as they are in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
