"""Type of the class of a camera's picture in ``telemetry`` (docs/mqtt.md)."""

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
