"""Whether the clock of this device can be right.

A clock that is behind makes old metadata look fresh, one that is ahead makes all metadata look expired. Both
are told apart from an attack by what is known without the clock: when this program was released, when
metadata were verified here before, and what the server says the time is.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from tuf.api.metadata import Metadata, Timestamp
from tuf.api.serialization import DeserializationError

from edgeagent.delivery.errors import WrongClockError

RELEASED = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""No clock is right that shows an earlier time; moved on with every release."""
TOLERANCE = timedelta(days=1)
_ACTION = "set it (timedatectl set-time), and start a time service"


def utcnow() -> datetime:
    """Return the time of this device, UTC."""
    return datetime.now(timezone.utc)


def shown(time: datetime) -> str:
    """Return a time as people read it."""
    return f"{time:%Y-%m-%d %H:%M} UTC"


def verified_at(folder: Path) -> datetime | None:
    """Return when the newest timestamp in the folder of the metadata was verified; None without one.

    It is the time of the file, but not later than the metadata expire: they were not expired then,
    whatever became of the file since.
    """
    path = folder / "timestamp.json"
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
        expires = Metadata[Timestamp].from_bytes(path.read_bytes()).signed.expires
    except (OSError, DeserializationError):
        return None
    return min(written, expires)


def check_alone(now: datetime, verified: datetime | None) -> None:
    """Compare the clock with what is known without the network.

    Args:
        now: what the clock shows.
        verified: see :func:`verified_at`.

    Raises:
        WrongClockError: it cannot be that early.
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


def check_against(now: datetime, server: datetime | None, name: str) -> None:
    """Compare the clock with that of a server.

    Args:
        now: what the clock shows.
        server: what the server's shows; None where there is none.
        name: of the server.

    Raises:
        WrongClockError: they are more than a day apart.
    """
    if server is not None and abs(now - server) > TOLERANCE:
        raise WrongClockError(
            f"the clock of this device shows {shown(now)}, that of {name} {shown(server)}; if the device's "
            f"is the wrong one, {_ACTION}"
        )
