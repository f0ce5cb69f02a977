"""A server of a command: it answers until a signal, or until a thread of it has failed for good."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Protocol

from edgeagent.errors import EdgeagentError
from edgeagent.timing.guarded_thread import Fault, subscribe


class StartedServer(Protocol):
    """Server with threads of its own."""

    def start(self) -> None:
        """Start to answer."""

    def stop(self) -> None:
        """End the threads."""


def run_until_signal(server: StartedServer, started: Callable[[], None] = lambda: None) -> int:
    """Start a server, wait for SIGTERM or SIGINT, and stop it; return the exit code.

    Args:
        server: started and stopped here.
        started: called when it answers.

    Raises:
        EdgeagentError: it cannot start, or a thread of it has failed for good.
    """
    ended = threading.Event()
    fatal: list[Fault] = []

    def end_after(fault: Fault) -> None:
        if fault.fatal:
            fatal.append(fault)
            ended.set()

    unsubscribe = subscribe(end_after)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    started()
    ended.wait()
    unsubscribe()
    server.stop()
    if fatal:
        raise EdgeagentError(f"the thread {fatal[0].thread} failed for good: {fatal[0].text}")
    return 0
