"""Supervisor of an ingest: the process of the store, the reader of retained topics, and the workers.

::

    store ready -> reader and workers started -> a process ends -> logged, started again after a pause
                                                                   (pauses double up to LONGEST_S)

The supervisor itself has neither the engine nor a connection, so that nothing that fails in those ends it. Its
processes end when it is gone: their standard input is closed then.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.ingest.options import IngestOptions, WorkerOptions
from edgeagent.timing.backoff import Backoff

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S, STEADY_S = 0.5, 30.0, 60.0
READY_S = 120.0
"""Time in which the store is opened; tables of an earlier version are changed then."""
STOP_S = 20.0
CHECK_S = 0.2
STORE, WORKER = "edgeagent.fleet.ingest.store_process", "edgeagent.fleet.ingest.worker_process"
_NEVER_AGAIN = (2,)
"""Exit codes after which another start would end in the same way: the configuration is wrong."""


class _Child:
    """Process that is started again whenever it ends."""

    def __init__(self, name: str, module: str, given: str, says_ready: bool) -> None:
        self.name, self._module, self._given, self._says_ready = name, module, given, says_ready
        self._pauses = Backoff(FIRST_S, LONGEST_S)
        self._began = self._due = 0.0
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()

    def start(self) -> None:
        self.ready.clear()
        self._began = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - this program
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._says_ready else subprocess.DEVNULL,
            text=True,
        )
        if self._says_ready:
            threading.Thread(target=self._wait_until_ready, args=(self.process,), daemon=True).start()
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(f"{self._given}\n")
            self.process.stdin.flush()
        except OSError:
            logger.warning("%s ended at its start", self.name)

    def check(self) -> int | None:
        """Start the process again if it has ended and its pause is over; return the exit code of a new end."""
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
        logger.error("%s ended unexpectedly (exit code %d); it is started again in %.1f s", self.name, code, pause)
        return code

    def stop(self, deadline: float) -> None:
        """Close the standard input of the process, wait until it ends, and kill it at the deadline."""
        if self.process is None:
            return
        process = self.process
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:
            logger.debug("%s had ended", self.name)
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
        assert process.stdout is not None
        try:
            if process.stdout.readline():
                self.ready.set()
                process.stdout.read()
        except (OSError, ValueError):  # closed
            return


class IngestSupervisor:
    """Processes of an ingest.

    Args:
        options: of the ingest.
    """

    def __init__(self, options: IngestOptions) -> None:
        self._store = _Child("the store", STORE, options.model_dump_json(), says_ready=True)
        self._workers = []
        for number in range(options.workers + 1):
            part = WorkerOptions(options=options, number=number)
            name = f"worker {number}" if number else "the reader of retained topics"
            self._workers.append(_Child(name, WORKER, part.model_dump_json(), says_ready=False))
        self._stopping = threading.Event()

    def pids(self) -> dict[str, int]:
        """Return the process IDs by name, of those that run."""
        return {each.name: each.process.pid for each in (self._store, *self._workers) if each.process is not None}

    def stop(self) -> None:
        """Let :meth:`run` return."""
        self._stopping.set()

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run the processes until :meth:`stop`.

        Args:
            on_ready: called once all are started.

        Raises:
            EdgeagentError: the store cannot be opened at the start; its process has said why.
        """
        try:
            self._store.start()
            self._await_store()
            for worker in self._workers:
                worker.start()
            on_ready()
            while not self._stopping.wait(CHECK_S):
                for child in (self._store, *self._workers):
                    if child.check() in _NEVER_AGAIN:
                        raise EdgeagentError(f"{child.name} cannot run with these options; see its last line")
        finally:
            deadline = time.monotonic() + STOP_S
            for worker in self._workers:
                worker.stop(deadline)
            self._store.stop(deadline + STOP_S)

    def _await_store(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self._store.ready.wait(CHECK_S):
            process = self._store.process
            if process is not None and process.poll() is not None:
                raise EdgeagentError("the store cannot be opened; its last line says why")
            if time.monotonic() > deadline:
                raise EdgeagentError(f"the store was not open within {READY_S:.0f} s")
            if self._stopping.is_set():
                return
