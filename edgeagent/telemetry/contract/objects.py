"""Type of the object counts in ``telemetry`` (docs/mqtt.md)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ObjectReport(BaseModel):
    """Number of objects of one label: in the newest frame, and over the processed frames of the interval."""

    model_config = ConfigDict(frozen=True)

    current: int
    maximum: int
    mean: float
