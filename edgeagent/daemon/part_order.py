"""Orders in which the parts of the agent start and stop."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.detection.serving_state import Change
from edgeagent.timing.deadline import Deadline

STOP_S = 2.5
"""For all parts together, so that the process ends within 3 s."""
LAST_MESSAGES_S = 1.25  # of these, kept for the last telemetry and ``stopped``


@dataclass(frozen=True)
class PartOrder:
    """Parts of the agent.

    Attributes:
        parts: all that start, or that take frames and changes, in that order.
        stop_order: those that stop, in that order.
        last_messages: those that send a last message, after all others have stopped.
    """

    parts: tuple[AgentPart, ...]
    stop_order: tuple[AgentPart, ...]
    last_messages: tuple[AgentPart, ...]

    def start(self) -> None:
        """Start all parts.

        Raises:
            EdgeagentError: one cannot start; those before it run.
        """
        for part in self.parts:
            part.start()

    def stop(self) -> Deadline:
        """Stop all parts, and return what is left of :data:`STOP_S`.

        A camera, engine or disk that hangs is abandoned.
        """
        deadline = Deadline(STOP_S)
        for part in self.stop_order:
            part.stop(deadline.share_s(PART_STOP_S, keep_s=LAST_MESSAGES_S))
        for part in self.last_messages:
            part.stop(deadline.share_s(PART_STOP_S, keep_s=LAST_MESSAGES_S / 2))
        return deadline

    def frame(self, result: Result) -> None:
        """Let all parts process a result; in the pipeline's finish thread."""
        for part in self.parts:
            part.frame(result)

    def changed(self, change: Change) -> None:
        """Let all parts process a change of the detector that serves; in the thread that caused it."""
        for part in self.parts:
            part.changed(change)
