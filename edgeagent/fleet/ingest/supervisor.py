"""Supervisor of an ingest: the process of the store, the reader of retained topics, and the workers.

::

    store ready -> reader and workers started -> all subscribed: messages are stored
                                    |
                                    +-> a process ends -> logged, started again after a pause
                                                      (pauses double up to half a minute)

The supervisor itself has neither the engine nor a connection, so that nothing that fails in those ends it.
Its processes end when it is gone: their standard input is closed then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.ingest.child import ChildProcess
from edgeagent.fleet.ingest.options import IngestOptions, IngestPart

READY_S = 120.0
"""Time in which the store is opened; tables of an earlier version are changed then."""
STOP_S = 20.0
CHECK_S = 0.2
STORE, WORKER = "edgeagent.fleet.ingest.store_process", "edgeagent.fleet.ingest.worker_process"
_NEVER_AGAIN = (2,)
"""Exit codes after which another start would end in the same way: the configuration is wrong."""


class IngestSupervisor:
    """Processes of an ingest.

    Args:
        options: of the ingest.
    """

    def __init__(self, options: IngestOptions) -> None:
        self._store = ChildProcess("the store", STORE, options.model_dump_json())
        self._workers = []
        for number in range(options.workers + 1):
            part = IngestPart(options=options, number=number)
            name = f"worker {number}" if number else "the reader of retained topics"
            self._workers.append(ChildProcess(name, WORKER, part.model_dump_json()))
        self._stopping = threading.Event()

    def pids(self) -> dict[str, int]:
        """Return the process IDs by name, of those that run."""
        return {
            each.name: each.process.pid for each in (self._store, *self._workers) if each.process is not None
        }

    def stop(self) -> None:
        """Let :meth:`run` return."""
        self._stopping.set()

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run the processes until :meth:`stop`.

        Args:
            on_ready: called once the broker has confirmed the subscriptions of all.

        Raises:
            EdgeagentError: the store cannot be opened at the start; its process has said why.
        """
        try:
            self._store.start()
            self._await_store()
            if self._stopping.is_set():
                return
            for worker in self._workers:
                worker.start()
            told = False
            while not self._stopping.wait(CHECK_S):
                if not told and all(worker.ready.is_set() for worker in self._workers):
                    told = True
                    on_ready()
                for child in (self._store, *self._workers):
                    if child.check() in _NEVER_AGAIN:
                        raise EdgeagentError(f"{child.name} cannot run with these options; see its last line")
        finally:
            deadline = time.monotonic() + STOP_S
            for worker in self._workers:
                worker.ask_to_end()  # all at once: each may have a batch to store
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
