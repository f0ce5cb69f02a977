"""Lines for the journal of systemd: each begins with its priority, as sd-daemon(3) describes.

``journalctl -p warning`` shows what needs attention: errors need a person, warnings tell of a device that is
degraded but works. The variable ``JOURNAL_STREAM`` tells whether a stream leads to the journal, by device and
inode, see systemd.exec(5).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from types import TracebackType
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7


def leads_to_journal(stream: TextIO) -> bool:
    """Return whether a stream is connected to the journal."""
    expected = os.environ.get("JOURNAL_STREAM")
    if not expected:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or a stream of this process only
        return False
    return expected == f"{status.st_dev}:{status.st_ino}"


def with_priority(text: str, level: int) -> str:
    """Return a text with the priority of a level of ``logging`` before each of its lines."""
    priority = next((number for least, number in _PRIORITIES if level >= least), _DEBUG)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


def log_uncaught_exceptions() -> None:
    """Have exceptions that nobody handles logged, so that their lines have a priority, too."""
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    text = "the program ends by an error that it does not know; report this as a bug of edgeagent"
    logging.getLogger("edgeagent").critical(text, exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is SystemExit:
        return
    name = ended.thread.name if ended.thread is not None else "a thread"
    error = ended.exc_value or ended.exc_type()
    logging.getLogger("edgeagent").error(
        "%s ended by an error that it does not know; report this as a bug of edgeagent",
        name,
        exc_info=(ended.exc_type, error, ended.exc_traceback),
    )
