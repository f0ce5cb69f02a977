"""Process of an ingest that is started again whenever it ends, loudly and after a pause.

It prints a line once it is ready.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time

from edgeagent.timing.backoff import Backoff

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S, STEADY_S = 0.5, 30.0, 60.0


class ChildProcess:
    """Process.

    Args:
        name: in words.
        module: that it runs.
        given: line that it reads first.

    Attributes:
        process: the present one; None between two.
        ready: set once the process has said that it is ready.
    """

    def __init__(self, name: str, module: str, given: str) -> None:
        self.name, self._module, self._given = name, module, given
        self._pauses = Backoff(FIRST_S, LONGEST_S)
        self._began = self._due = 0.0
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()

    def start(self) -> None:
        """Start the process."""
        self.ready.clear()
        self._began = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._wait_until_ready, args=(self.process,), daemon=True).start()
        if self.process.stdin is not None:
            try:
                self.process.stdin.write(f"{self._given}\n")
                self.process.stdin.flush()
            except OSError:
                logger.warning("%s ended at its start", self.name)

    def check(self) -> int | None:
        """Start the process again once its pause is over; return the exit code of a new end."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._due:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        self._close()
        if now - self._began > STEADY_S:
            self._pauses.reset()
        pause = self._pauses.next()
        self._due = now + pause
        logger.error(
            "%s ended unexpectedly (exit code %d); it is started again in %.1f s", self.name, code, pause
        )
        return code

    def ask_to_end(self) -> None:
        """Close the standard input of the process, which ends it."""
        if self.process is not None and self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except OSError:
                logger.debug("%s had ended", self.name)

    def stop(self, deadline: float) -> None:
        """Ask the process to end, wait until it does, and kill it at the deadline."""
        process = self.process
        if process is None:
            return
        self.ask_to_end()
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.error("%s does not end; it is killed", self.name)
            process.kill()
            process.wait()
        self._close()

    def _close(self) -> None:
        process, self.process = self.process, None
        for pipe in (process.stdin, process.stdout) if process is not None else ():
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    logger.debug("%s left a message unread", self.name)

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        try:
            if process.stdout.readline():
                self.ready.set()
                process.stdout.read()
        except (OSError, ValueError):  # closed
            return
