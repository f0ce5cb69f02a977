"""Protocol of the agent's parts, and the generic parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edgeagent.detection.frame_result import Result
from edgeagent.detection.serving_state import Change

PART_STOP_S = 0.75
"""Longest wait of a part for its threads when it stops."""


class AgentPart(Protocol):
    """Part of the agent. A subclass overrides what concerns it; the defaults do nothing."""

    def start(self) -> None:
        """Start threads and open ports.

        Raises:
            EdgeagentError: the part cannot start.
        """
        return

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop threads and close ports; a thread that takes longer than ``timeout_s`` is abandoned."""
        return

    def frame(self, result: Result) -> None:
        """Process a result, valid during the call; in the pipeline's finish thread."""
        return

    def changed(self, change: Change) -> None:
        """Process a change of the detector that serves; in the thread that caused it."""
        return


class Background(AgentPart):
    """Part that runs in threads of its own and processes neither frames nor changes.

    Args:
        start: starts the threads.
        stop: stops the threads, within the given seconds.
    """

    def __init__(self, start: Callable[[], None], stop: Callable[[float], object]) -> None:
        self._start, self._stop = start, stop

    def start(self) -> None:
        """Start the threads."""
        self._start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop the threads."""
        self._stop(timeout_s)


class ResultCallback(AgentPart):
    """Part that calls a function with every result.

    Args:
        on_result: called in the pipeline's finish thread.
    """

    def __init__(self, on_result: Callable[[Result], None]) -> None:
        self._on_result = on_result

    def frame(self, result: Result) -> None:
        """Call the function."""
        self._on_result(result)


def present(*parts: AgentPart | None) -> tuple[AgentPart, ...]:
    """Return the parts that are not None, in order."""
    return tuple(part for part in parts if part is not None)
