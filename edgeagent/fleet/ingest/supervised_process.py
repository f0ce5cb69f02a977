"""Beginning of a process of ``fleet ingest``: options from standard input, and its end.

It ends with SIGTERM, or when standard input is closed, as it is when its supervisor ends, whatever the
reason.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading


def begin_supervised(log_format: str) -> tuple[str, threading.Event]:
    """Set up the log and the signals; return the line of options, and the event of the end.

    Args:
        log_format: of the lines of the log, for :func:`logging.basicConfig`.
    """
    logging.basicConfig(level=logging.INFO, format=log_format)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the supervisor ends this process
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    options = sys.stdin.readline()
    threading.Thread(target=_wait_for_the_end, args=(stopping,), daemon=True, name="supervisor").start()
    return options, stopping


def _wait_for_the_end(stopping: threading.Event) -> None:
    sys.stdin.read()
    stopping.set()
