"""The ``adaptive`` section of the configuration: limits that control the frame rate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgeagent.settings.types import Seconds, SettingsSection

Celsius = Annotated[float, Field(gt=0, lt=150)]
Percent = Annotated[float, Field(ge=0, le=100)]


class AdaptiveSettings(SettingsSection):
    """Adaptive frame rate settings.

    Attributes:
        enabled: whether the frame rate is limited at all.
        hot_c, cool_c: temperature of the hottest thermal zone in degrees Celsius above which the rate is
            lowered, and below which it may rise.
        low_percent, enough_percent: battery charge below which the rate is halved, and above which it may
            rise.
        step: factor by which the rate is lowered.
        least_fps: lower limit of the rate, over all cameras.
        hold_fall: minimum seconds between two decreases.
        hold_rise: minimum seconds between two increases.
        longest_rise: maximum seconds between two attempts at a rate that was too high; the delay starts at
            ``hold_rise`` and doubles.
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
