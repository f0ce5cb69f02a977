"""Time stamps as text: UTC, ISO 8601."""

from __future__ import annotations

from datetime import datetime, timezone


def utc_time(seconds: float) -> str:
    """Return seconds since the epoch as UTC text, such as 2026-01-31T12:00:00.000Z."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
