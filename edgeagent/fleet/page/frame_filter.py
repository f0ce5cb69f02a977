"""Which of the received frames are shown or exported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from edgeagent.fleet.frames.frame_archive import ReceivedFrame

_Text = Annotated[str, StringConstraints(max_length=200)]


class FrameFilter(BaseModel):
    """Condition on received frames; empty values are no condition.

    Attributes:
        device, model, reason: exact values.
        labelled: whether a person has labelled it.
    """

    model_config = ConfigDict(frozen=True)

    device: _Text = ""
    model: _Text = ""
    reason: _Text = ""
    labelled: Literal["", "yes", "no"] = ""

    def holds(self, frame: ReceivedFrame) -> bool:
        """Return whether a frame fulfils the condition."""
        return (
            self.device in ("", frame.key.device)
            and self.model in ("", frame.notes.model)
            and (not self.reason or self.reason in frame.notes.reasons)
            and (not self.labelled or (frame.labels is not None) == (self.labelled == "yes"))
        )

    def of(self, frames: Iterable[ReceivedFrame]) -> list[ReceivedFrame]:
        """Return the frames that fulfil the condition."""
        return [one for one in frames if self.holds(one)]
