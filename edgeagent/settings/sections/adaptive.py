"""The ``adaptive`` section of the configuration: when the frame rate falls, and when it may rise again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgeagent.settings.types import Seconds, SettingsSection

Celsius = Annotated[float, Field(gt=0, lt=150)]
Percent = Annotated[float, Field(ge=0, le=100)]


class AdaptiveSettings(SettingsSection):
    """Limits, and how fast the frame rate follows them.

    Attributes:
        enabled: False never limits the frame rate.
        hot_c, cool_c: hottest thermal zone above which the rate falls, and below which it may rise.
        low_percent, enough_percent: charge of the battery, in the same way; a low battery halves the rate.
        step: factor of one fall.
        least_fps: the rate falls to this at most, over all cameras.
        hold_fall: between two falls.
        hold_rise: between two rises.
        longest_rise: between two tries of a rate that was too much; begins with hold_rise and doubles.
    """

    enabled: bool = True
    hot_c: Celsius = 90.0
    cool_c: Celsius = 85.0
    low_percent: Percent = 20.0
    enough_percent: Percent = 25.0
    step: Annotated[float, Field(ge=0.1, le=0.95)] = 0.75
    least_fps: Annotated[float, Field(gt=0)] = 1.0
    hold_fall: Seconds = 30.0
    hold_rise: Seconds = 60.0
    longest_rise: Seconds = 1800.0

    @model_validator(mode="after")
    def _limits_have_room_between_them(self) -> AdaptiveSettings:
        if self.cool_c >= self.hot_c:
            raise ValueError("cool_c must be below hot_c")
        if self.low_percent >= self.enough_percent:
            raise ValueError("low_percent must be below enough_percent")
        if self.longest_rise < self.hold_rise:
            raise ValueError("longest_rise must not be below hold_rise")
        return self
