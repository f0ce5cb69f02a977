"""Messages of the topic ``feedback``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MOST_JUDGED = 300
"""Boxes or verdicts in one message: as many as a frame has detections."""


RequestId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


Coordinate = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedbackVerdict(_Part):
    """On one detection: its position in the list of the message, from 0, and whether it is right."""

    detection: Annotated[int, Field(ge=0, lt=MOST_JUDGED)]
    right: bool


class RealObject(_Part):
    """Something that really is on the frame; ``box`` is x1, y1, x2, y2 in its pixels."""

    label: Name
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate]

    @model_validator(mode="after")
    def _box_has_an_area(self) -> RealObject:
        x1, y1, x2, y2 = self.box
        if x2 <= x1 or y2 <= y1:
            raise ValueError("box: expected left, top, right, bottom, with left < right and top < bottom")
        return self


class Feedback(_Part):
    """``feedback``: a judgement of one frame, by ``run`` and ``sequence`` of its ``detections`` message.

    Attributes:
        request_id: given back in ``reply``; without one there is no answer.
        source: who says so.
        camera, run, sequence: of the frame.
        verdicts: on some of its detections.
        missed: labels of objects that were not found; needs a verdict on every detection.
        objects: everything that is on the frame, in place of verdicts.
    """

    request_id: RequestId | None = None
    source: Name
    camera: Name
    run: int | None = None
    sequence: Annotated[int, Field(ge=0)]
    verdicts: Annotated[tuple[FeedbackVerdict, ...], Field(max_length=MOST_JUDGED)] | None = None
    missed: Annotated[tuple[Name, ...], Field(max_length=MOST_JUDGED)] | None = None
    objects: Annotated[tuple[RealObject, ...], Field(max_length=MOST_JUDGED)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_judgement(self) -> Feedback:
        if (self.verdicts is None) == (self.objects is None):
            raise ValueError("expected either verdicts or objects")
        if self.missed is not None and self.verdicts is None:
            raise ValueError("missed goes with verdicts; objects say it by themselves")
        return self
