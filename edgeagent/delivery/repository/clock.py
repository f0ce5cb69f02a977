"""Plausibility checks of the device's clock.

A clock that is behind makes old metadata look fresh, one that is ahead makes all metadata look expired. What
is known without the clock tells both from an attack: the release date of this program, the time at which
metadata were last verified here, and the time of the server.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from tuf.api.metadata import Metadata, Timestamp
from tuf.api.serialization import DeserializationError

from edgeagent.delivery.errors import WrongClockError

RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""A clock that shows an earlier time is wrong; raised with every release."""
TOLERANCE = timedelta(days=1)
_ACTION = "set it (timedatectl set-time), and start a time service"


def utcnow() -> datetime:
    """Return the time of this device's clock, UTC."""
    return datetime.now(timezone.utc)


def shown(time: datetime) -> str:
    """Return a time as text, to the minute, UTC."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def verified_at(folder: Path) -> datetime | None:
    """Return when the newest timestamp metadata in a folder was verified; None without one.

    It is the time stamp of the file, at most the expiry of the metadata, as they had not expired then.
    """
    path = folder / "timestamp.json"
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
        expires = Metadata[Timestamp].from_bytes(path.read_bytes()).signed.expires
    except (OSError, DeserializationError):
        return None
    return min(written, expires)


def check_offline(now: datetime, verified: datetime | None) -> None:
    """Check the clock without the network.

    Args:
        now: time of this device's clock.
        verified: see :func:`verified_at`.

    Raises:
        WrongClockError: the clock is behind.
    """
    if now < RELEASED:
        raise WrongClockError(
            f"the clock of this device shows {shown(now)}, but this program was released after "
            f"{shown(RELEASED)}; {_ACTION}"
        )
    if verified is not None and now < verified - TOLERANCE:
        raise WrongClockError(
            f"the clock of this device shows {shown(now)}, but metadata were verified here at "
            f"{shown(verified)}; {_ACTION}"
        )


def check_with_server(now: datetime, server: datetime | None, name: str) -> None:
    """Check the clock against that of a server.

    Args:
        now: time of this device's clock.
        server: time of the server; None where it is not known.
        name: of the server, for messages.

    Raises:
        WrongClockError: they differ by more than a day.
    """
    if server is not None and abs(now - server) > TOLERANCE:
        raise WrongClockError(
            f"the clock of this device shows {shown(now)}, that of {name} {shown(server)}; if the device's "
            f"is the wrong one, {_ACTION}"
        )
