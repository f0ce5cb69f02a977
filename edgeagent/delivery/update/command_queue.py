"""What other threads ask of one thread, and its answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from edgeagent.errors import EdgeagentError

logger = logging.getLogger(__name__)

Command = Callable[[], str]
"""Runs in the thread that obeys; returns an answer for people."""


class CommandQueue:
    """Commands that wait for their thread."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[str], Command]] = SimpleQueue()

    def ask(self, command: Command) -> Future[str]:
        """Hand a command over, from any thread; the answer, or what the command raised, comes later."""
        answer: Future[str] = Future()
        self._waiting.put((answer, command))
        return answer

    def waits(self) -> bool:
        """Return whether a command waits."""
        return not self._waiting.empty()

    def obey(self, wait_s: float, after: Callable[[], None]) -> None:
        """Run what waits now, or what comes first within ``wait_s`` seconds; ``after`` is called after each.

        What comes meanwhile is left for the next time, so that nobody can keep the thread from its work.
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
