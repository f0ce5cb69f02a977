"""Entry of a channel: anything that devices take under a rollout policy, with its boards and sequence.

Base of what a channel lists: models (``channel.py``) and whatever else is delivered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from edgeagent.bundle.section import Version
from edgeagent.settings.sections.delivery import Label

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Signed(BaseModel):
    """Base of the parts of the index; unknown fields, of newer versions, are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Window(Signed):
    """Time of day in which an update may begin to serve, in the device's local time.

    Attributes:
        begin, end: ``HH:MM``; an end before the beginning is on the next day.
    """

    begin: TimeOfDay
    end: TimeOfDay


class Rollout(Signed):
    """Rollout policy of a release: which devices take it, and when.

    Attributes:
        id: of this rollout; hashed with the device's id, it decides which devices are the first ``percent``.
        percent: share of the devices, 0..100.
        start: earliest time; None is at once.
        cohorts: labels of which a device must have one; empty for all devices.
        window: time of day in which it may begin to serve; None is any.
        least_battery_percent: charge that a device on battery needs; None needs none.
        mains_only: whether the device must be on external power.
        paused: whether no device may begin; a deployment that has begun goes on.
    """

    id: Label
    percent: Annotated[float, Field(ge=0, le=100)] = 100.0
    start: datetime | None = None
    cohorts: tuple[Label, ...] = ()
    window: Window | None = None
    least_battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    mains_only: bool = False
    paused: bool = False


class ChannelEntry(Signed):
    """One version of something that a channel offers.

    Attributes:
        version: of it.
        sequence: position among its kind in the channel; a device moves to a lower one only by command.
        boards: names of which the board must have one; ``any`` is every board.
        rollout: its policy.
        withdrawn: reason why no device should use it any more; None while it is valid.
    """

    version: Version
    sequence: PositiveInt
    boards: Annotated[tuple[Label, ...], Field(min_length=1)]
    rollout: Rollout
    withdrawn: str | None = None
