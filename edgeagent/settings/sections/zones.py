"""Zones, lines, masks and ground plane of a camera; coordinates are shares of its picture."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edgeagent.imaging.perspective import solve_perspective
from edgeagent.imaging.polygon import Point, check_polygon, segments_meet
from edgeagent.settings.sections.objects import Label
from edgeagent.settings.types import Fraction, Seconds, SettingsSection, TopicLevel

MOST_CORNERS, MOST_ZONES = 64, 64
GROUND_POINTS, FARTHEST_M = 4, 10_000.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Anchor = Literal["bottom", "center", "top"]
"""Point of a box that counts: the middle of its lower side, its centre, or the middle of its upper side."""


def _checked(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    check_polygon(corners)
    return corners


def _minutes(value: Any) -> Any:
    """Convert the base-60 numbers that YAML 1.1 reads from 22:30 back to text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    return value


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("expected a time of day from 00:00 to 23:59, such as 22:30")
    return value


Share = Fraction
Corners = Annotated[tuple[tuple[Share, Share], ...], Field(max_length=MOST_CORNERS), AfterValidator(_checked)]
TimeOfDayText = Annotated[str, BeforeValidator(_minutes), AfterValidator(_time_of_day)]


class ScheduleSettings(SettingsSection):
    """Part of the week, in the local time of the device.

    Attributes:
        begin, end: time of day; the beginning is inside, the end is not. An end at or before the beginning is
            on the next day.
        days: days on which it begins.
    """

    begin: TimeOfDayText
    end: TimeOfDayText
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS  # type: ignore[assignment]


class ObjectFilterSettings(SettingsSection):
    """Objects that count; all conditions must hold.

    Attributes:
        labels: their labels; empty for all.
        min_score: lowest score of a detection.
        min_size, max_size: area of the box as a share of the picture.
        min_aspect, max_aspect: width of the box over its height, in pixels.
        schedule: when objects count; None is always.
    """

    labels: tuple[Label, ...] = ()
    min_score: Fraction = 0.0
    min_size: Fraction = 0.0
    max_size: Fraction = 1.0
    min_aspect: Annotated[float, Field(ge=0)] = 0.0
    max_aspect: Annotated[float, Field(gt=0)] = 1000.0
    schedule: ScheduleSettings | None = None

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> ObjectFilterSettings:
        for name in ("size", "aspect"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ValueError(f"min_{name} {low:g} is more than max_{name} {high:g}: nothing would count")
        return self


class ZoneSettings(SettingsSection):
    """Zone settings: an area of the picture whose objects are counted.

    Attributes:
        name: name of the zone, a level of its MQTT topics.
        polygon: corners (x, y) in shares of the picture, in order around the area.
        objects: objects that count.
        anchor: point of a box that must be inside.
        enter_after: seconds inside before an object has entered.
        leave_after: seconds outside before it has left; one that is not seen any more leaves when its track
            ends.
        occupied_after, free_after: seconds with and without an object before the zone is occupied and free.
        loiter_after: seconds inside after which an object loiters; None says nothing.
    """

    name: TopicLevel
    polygon: Corners
    objects: ObjectFilterSettings = ObjectFilterSettings()
    anchor: Anchor = "bottom"
    enter_after: Seconds = 0.3
    leave_after: Seconds = 1.0
    occupied_after: Seconds = 0.5
    free_after: Seconds = 3.0
    loiter_after: Seconds | None = None


class LineSettings(SettingsSection):
    """Line settings: objects that cross it are counted by direction.

    Attributes:
        name: name of the line.
        begin, end: its ends (x, y) in shares of the picture. Seen from the beginning towards the end, an
            object that moves from the right to the left side goes ``in``, the other way ``out``, as in the
            package supervision.
        objects: objects that count.
        anchor: point of a box that must cross.
        margin: distance beyond the line that it must reach, as a share of the picture's height.
    """

    name: TopicLevel
    begin: tuple[Share, Share]
    end: tuple[Share, Share]
    objects: ObjectFilterSettings = ObjectFilterSettings()
    anchor: Anchor = "bottom"
    margin: Annotated[float, Field(ge=0, le=0.25)] = 0.01

    @model_validator(mode="after")
    def _ends_differ(self) -> LineSettings:
        if self.begin == self.end:
            raise ValueError("begin and end are the same point")
        return self


class MaskSettings(SettingsSection):
    """Mask settings.

    Attributes:
        polygon: corners (x, y) in shares of the picture.
        kind: ``ignore`` drops detections whose lower side has its middle inside; ``privacy`` also blurs the
            area in every picture that is stored or sent.
    """

    polygon: Corners
    kind: Literal["ignore", "privacy"] = "ignore"


class GroundSettings(SettingsSection):
    """Ground plane, for speeds and positions.

    Attributes:
        picture: four points (x, y) in shares of the picture, in order around an area of the ground.
        metres: the same four points on the ground, in metres.
        anchor: point of a box that is on the ground; ``center`` where the camera looks straight down.
    """

    picture: Annotated[Corners, Field(min_length=GROUND_POINTS, max_length=GROUND_POINTS)]
    metres: Annotated[
        tuple[tuple[float, float], ...], Field(min_length=GROUND_POINTS, max_length=GROUND_POINTS)
    ]
    anchor: Anchor = "bottom"

    @model_validator(mode="after")
    def _fixes_a_plane(self) -> GroundSettings:
        solve_perspective(self.picture, self.metres)
        if any(max(abs(x), abs(y)) > FARTHEST_M for x, y in self.metres):
            raise ValueError(f"metres: expected {FARTHEST_M:g} m at most")
        a, b, c, d = self.metres
        if segments_meet(a, b, c, d) or segments_meet(b, c, d, a):
            raise ValueError("metres: two sides cross; list the points in the order of `picture`")
        return self


def unique_names(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Check that the zones or lines of a camera have different names."""
    names = [item.name for item in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names must be unique; {', '.join(twice)} is used more than once")
    return items


Zones = Annotated[tuple[ZoneSettings, ...], Field(max_length=MOST_ZONES), AfterValidator(unique_names)]
Lines = Annotated[tuple[LineSettings, ...], Field(max_length=MOST_ZONES), AfterValidator(unique_names)]
Masks = Annotated[tuple[MaskSettings, ...], Field(max_length=MOST_ZONES)]
