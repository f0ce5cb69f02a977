"""The key ``motion`` of a camera: the detector runs only for frames in which something moves."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeagent.settings.types import Seconds, SettingsSection


class MotionSettings(SettingsSection):
    """Motion gate settings.

    Attributes:
        detect_every: seconds after which the detector also runs where nothing moves.
        hold: seconds for which it goes on running after the last movement.
        contrast: change of a place that counts, in grey levels; noise of the camera raises it.
        area: share of the picture that must change.
    """

    detect_every: Seconds = 5.0
    hold: Seconds = 2.0
    contrast: Annotated[float, Field(ge=1, le=255)] = 8.0
    area: Annotated[float, Field(gt=0, lt=0.5)] = 0.0005
