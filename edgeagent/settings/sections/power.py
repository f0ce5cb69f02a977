"""The ``power`` section of the configuration: declared power and power budget of the board."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from edgeagent.settings.types import SettingsSection

Watts = Annotated[float, Field(gt=0)]


class PowerSettings(SettingsSection):
    """Power settings.

    Attributes:
        idle_w: power of the whole board without inference in watts, the baseline of the energy per
            inference for readings of the whole board; None measures it.
        full_w: power of the whole board at full processor load in watts; with ``idle_w`` it gives an
            estimate for a board without a sensor.
        budget_w: power in watts above which the frame rate is lowered; None has no limit.
    """

    idle_w: Watts | None = None
    full_w: Watts | None = None
    budget_w: Watts | None = None

    @model_validator(mode="after")
    def _full_is_above_idle(self) -> PowerSettings:
        if self.full_w is not None and (self.idle_w is None or self.full_w <= self.idle_w):
            raise ValueError("full_w needs an idle_w that is lower")
        return self
