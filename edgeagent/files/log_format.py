"""Format of log lines: one line a record, whatever the text of the record holds.

Names of cameras, payloads of MQTT messages and answers of servers are part of many messages. A newline in one
would begin a line that looks like a record of its own, and an escape sequence would reach the terminal.
"""

from __future__ import annotations

import logging

from edgeagent.files.journal import with_priority
from edgeagent.files.naming import escape_controls, shortened

MAX_MESSAGE = 8000
"""Characters of a message; a longer one is cut."""

_FORMAT = "%(levelname)s %(name)s: %(message)s"


class LogFormatter(logging.Formatter):
    """Formatter of ``LEVEL logger: message`` on one line; the lines of a traceback are indented.

    Control characters appear as ``\\n`` or ``\\x1b``; see :func:`edgeagent.files.naming.escape_controls`.

    Args:
        journal: whether each line begins with its priority; see :mod:`edgeagent.files.journal`.
    """

    def __init__(self, journal: bool = False) -> None:
        super().__init__(_FORMAT)
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return with_priority(text, record.levelno) if self._journal else text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (a name of logging)
        return shortened(escape_controls(super().formatMessage(record)), MAX_MESSAGE)

    def formatException(self, ei: object) -> str:  # noqa: N802  (a name of logging)
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  (a name of logging)
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"    {escape_controls(line)}" for line in text.split("\n"))
