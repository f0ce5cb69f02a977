"""Start of a worker process; the first one can be started ahead, beside the imports of its parent.

::

    start_ahead() -> process.py imports its modules and waits for a request
    start_worker() -> the one started ahead, if this thread started it and it still runs; else a new one

The module imports nothing of weight, so that a program can call :func:`start_ahead` before anything else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import BinaryIO

MODULE = "edgeagent.worker.process"


@dataclass(frozen=True)
class StartedWorker:
    """A worker process that waits for a request.

    Attributes:
        stderr: file with its standard output and standard error.
        socket: connection to it.
        process: the process.
        starter: identity of the thread that started it, with which it ends.
    """

    stderr: BinaryIO
    socket: socket.socket
    process: subprocess.Popen[bytes]
    starter: int

    @property
    def usable(self) -> bool:
        """Whether it runs, and ends with this thread."""
        return self.starter == threading.get_ident() and self.process.poll() is None

    def end(self) -> None:
        """End the process and forget it."""
        self.socket.close()
        self.process.kill()
        self.process.wait()
        self.stderr.close()


_ahead: list[StartedWorker] = []


def start_ahead() -> None:
    """Start a worker that :func:`start_worker` gives out later; does nothing where none can be started."""
    with contextlib.suppress(OSError):  # the first request says why
        _ahead.append(_start())


def end_ahead() -> None:
    """End what was started ahead and not used."""
    while _ahead:
        _ahead.pop().end()


def start_worker() -> StartedWorker:
    """Return a worker process: the one started ahead in this thread, or a new one.

    Raises:
        OSError: no process can be started.
    """
    while _ahead:
        found = _ahead.pop()
        if found.usable:
            return found
        found.end()
    return _start()


def _start() -> StartedWorker:
    with contextlib.ExitStack() as opened:
        stderr = opened.enter_context(tempfile.TemporaryFile())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        opened.enter_context(ours)
        command = [sys.executable, "-m", MODULE, str(theirs.fileno()), str(os.getpid())]
        with theirs:
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
            )
        opened.pop_all()
    return StartedWorker(stderr, ours, process, threading.get_ident())
