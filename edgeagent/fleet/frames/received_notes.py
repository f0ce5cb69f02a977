"""What a device sends with a hard frame, checked; it is written by ``edgeagent.events.hard_frame_notes``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from edgeagent.datasets.class_text import is_class_text

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Pixels = Annotated[int, Field(gt=0, le=16_384)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]


def _class_text(name: str) -> str:
    if not is_class_text(name):
        raise ValueError("is blank, or has control characters")
    return name


class _Notes(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ReceivedObject(_Notes):
    """Object in a frame; its box is x1, y1, x2, y2 in shares of the picture."""

    label: Annotated[_Name, AfterValidator(_class_text)]
    score: _Share = 1.0
    box: tuple[_Share, _Share, _Share, _Share]


class ReceivedNotes(_Notes):
    """Notes of a device on a frame.

    Attributes:
        camera: its name.
        time: of the frame, seconds since 1970.
        model: name and version of the model; "" of an older device.
        reasons: why the frame was kept; empty of an older device.
        width, height: of the picture in pixels.
        objects: that the model found.
        labels: all classes of the model; empty of an older device.
    """

    camera: _Name
    time: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    model: Annotated[str, StringConstraints(max_length=200)] = ""
    reasons: Annotated[tuple[Annotated[str, StringConstraints(max_length=40)], ...], Field(max_length=8)] = ()
    width: _Pixels
    height: _Pixels
    objects: Annotated[tuple[ReceivedObject, ...], Field(max_length=1000)] = ()
    labels: Annotated[tuple[_Name, ...], Field(max_length=20_000)] = ()


class TakenLabels(_Notes):
    """Labels of a person for a frame.

    Attributes:
        objects: that are there.
        by: name of the user who has brought them.
        at: when, seconds since 1970.
    """

    objects: Annotated[tuple[ReceivedObject, ...], Field(max_length=1000)]
    by: str
    at: float
