"""Spans of time that histories are shown for, each with the step of its points and the roll-up they are from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal, get_args

SpanName = Literal["6h", "24h", "7d", "30d", "1y"]
SPANS: tuple[SpanName, ...] = get_args(SpanName)


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Time up to now.

    Attributes:
        name: as people choose it.
        hours: its length.
        minutes: between two points.
        rolled: roll-up of the store that points are from: ``minute``, ``hour`` or ``day``.
    """

    name: SpanName
    hours: int
    minutes: int
    rolled: Literal["minute", "hour", "day"]

    def since(self, now: datetime | None = None) -> datetime:
        """Return the time at which it begins."""
        return (now or datetime.now(timezone.utc)) - timedelta(hours=self.hours)


SPAN: dict[SpanName, TimeSpan] = {
    "6h": TimeSpan("6h", 6, 5, "minute"),
    "24h": TimeSpan("24h", 24, 15, "minute"),
    "7d": TimeSpan("7d", 168, 120, "hour"),
    "30d": TimeSpan("30d", 720, 720, "hour"),
    "1y": TimeSpan("1y", 8784, 10_080, "day"),
}
