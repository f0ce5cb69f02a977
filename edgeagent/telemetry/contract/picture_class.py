"""Types of the classes of a camera's picture and its pixels in ``telemetry`` (docs/mqtt.md)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ClassReport(BaseModel):
    """Class of a camera's picture, where a classifier serves.

    ``label`` is the debounced class, absent while it is unknown, and ``since`` its beginning; ``newest`` and
    ``score`` are of the newest frame; ``shares`` are shares of the frames of the interval by label.
    """

    model_config = ConfigDict(frozen=True)

    label: str | None = None
    since: str | None = None
    newest: str
    score: float
    shares: dict[str, float]


class ZoneAreaReport(BaseModel):
    """Classes of the pixels of a zone: the one that covers it, absent while unknown, and mean shares."""

    model_config = ConfigDict(frozen=True)

    label: str | None = None
    shares: dict[str, float]


class AreaReport(BaseModel):
    """Classes of the pixels of a picture and its zones, where a segmenter serves: means of the interval."""

    model_config = ConfigDict(frozen=True)

    shares: dict[str, float]
    zones: dict[str, ZoneAreaReport]
