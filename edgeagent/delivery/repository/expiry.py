"""Expiry of the signed metadata that a device keeps: who publishes is told before it is too late."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError

from edgeagent.delivery.repository.clock import shown

SOON = timedelta(days=3)
SHORT_LIVED = ("timestamp.json", "snapshot.json")
"""Metadata that are signed anew every few days, some publishers sign them for less than :data:`SOON`."""


def expiring(folder: Path, now: datetime) -> str | None:
    """Return which metadata of a folder expire within :data:`SOON`, the first one; None if none do.

    Timestamp and snapshot are reported within half of the time that was left when they were stored here,
    where that is less.

    Args:
        folder: of verified metadata.
        now: time of this device's clock, UTC.
    """
    found = []
    for path in folder.glob("*.json"):
        try:
            written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
            expires = Metadata[Any].from_bytes(path.read_bytes()).signed.expires
        except (OSError, DeserializationError):
            continue
        soon = min(SOON, (expires - written) / 2) if path.name in SHORT_LIVED else SOON
        if expires - now < soon:
            found.append((expires, path.name))
    if not found:
        return None
    expires, name = min(found)
    return (
        f"{name} of the repository expires at {shown(expires)}, and no update is taken afterwards; the "
        "publisher has to run `edgeagent publish refresh`, or to sign it anew"
    )
