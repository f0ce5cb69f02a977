"""Types of the messages on the topic ``feedback``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from edgeagent.telemetry.contract.commands import RequestId

MOST_JUDGED = 300
"""Largest number of boxes or verdicts in one message: that of the detections in a frame."""

ShortName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Coordinate = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # most devices get no feedback


class FeedbackVerdict(_Part):
    """Verdict on one detection: index in the ``detections`` message, from 0, and whether it is correct."""

    detection: Annotated[int, Field(ge=0, lt=MOST_JUDGED)]
    right: bool


class RealObject(_Part):
    """Ground-truth object of the frame; ``box`` is x1, y1, x2, y2 in pixels of the frame."""

    label: ShortName
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate]

    @model_validator(mode="after")
    def _box_has_an_area(self) -> RealObject:
        x1, y1, x2, y2 = self.box
        if x2 <= x1 or y2 <= y1:
            raise ValueError("box: expected left, top, right, bottom, with left < right and top < bottom")
        return self


class Feedback(_Part):
    """``feedback``: judgement of one frame, given by ``run`` and ``sequence`` of its ``detections`` message.

    Attributes:
        request_id: copied into ``reply``; without one no reply is sent.
        source: name of the person or system that judges.
        camera, run, sequence: identity of the frame.
        verdicts: verdicts on some of its detections.
        missed: labels of objects that were not detected; requires a verdict on every detection.
        objects: all ground-truth objects of the frame, in place of verdicts.
    """

    request_id: RequestId | None = None
    source: ShortName
    camera: ShortName
    run: int | None = None
    sequence: Annotated[int, Field(ge=0)]
    verdicts: Annotated[tuple[FeedbackVerdict, ...], Field(max_length=MOST_JUDGED)] | None = None
    missed: Annotated[tuple[ShortName, ...], Field(max_length=MOST_JUDGED)] | None = None
    objects: Annotated[tuple[RealObject, ...], Field(max_length=MOST_JUDGED)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_judgement(self) -> Feedback:
        if (self.verdicts is None) == (self.objects is None):
            raise ValueError("expected either verdicts or objects")
        if self.missed is not None and self.verdicts is None:
            raise ValueError("missed goes with verdicts; objects say it by themselves")
        return self
