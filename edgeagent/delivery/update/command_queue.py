"""Queue of commands from other threads to one thread, with their answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

Command = Callable[[], str]
"""Called in the thread of the queue; returns an answer in words."""


class CommandQueue:
    """Commands that wait for their thread."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[str], Command]] = SimpleQueue()

    def submit(self, command: Command) -> Future[str]:
        """Add a command, from any thread; the future gets its answer, or the exception it raised."""
        answer: Future[str] = Future()
        self._waiting.put((answer, command))
        return answer

    def waits(self) -> bool:
        """Return whether a command waits."""
        return not self._waiting.empty()

    def run(self, wait_s: float, after: Callable[[], None]) -> None:
        """Run the commands that wait now, or the first that comes within ``wait_s`` seconds.

        Commands that come meanwhile are left for the next call, so that a flood cannot block the thread.

        Args:
            wait_s: seconds to wait when no command waits.
            after: called after each command.
        """
        for number in range(max(1, self._waiting.qsize())):
            try:
                answer, command = self._waiting.get(timeout=0.0 if number else wait_s)
            except Empty:
                return
            if answer.set_running_or_notify_cancel():
                _run(command, answer)
                after()


def _run(command: Command, answer: Future[str]) -> None:
    try:
        answer.set_result(command())
    except EdgeagentError as error:
        answer.set_exception(error)
    except Exception as error:
        logger.exception("a command failed")
        answer.set_exception(error)
