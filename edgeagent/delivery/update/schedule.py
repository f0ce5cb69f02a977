"""Schedule of update checks, spread over the devices of a fleet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class CheckSchedule:
    """Times of the update checks of a device.

    Attributes:
        next_s: returns the seconds to the next check.
        first_s: seconds to the first check.
    """

    next_s: Callable[[], float]
    first_s: float = 0.0


def next_check_s(check_every: float, jitter: float, device_id: str, random: Random) -> float:
    """Return the seconds to the next check, uniform over ``check_every * (1 -+ jitter)``.

    Devices without a battery may all start with one state of the random generator, after a power cut at
    one moment; the id of the device keeps them apart then.

    Args:
        check_every: mean seconds between two checks.
        jitter: share of it, 0..1.
        device_id: of this device.
        random: generator.
    """
    own = int.from_bytes(hashlib.sha256(device_id.encode()).digest()[:4], "big") / 2**32
    return check_every * (1 + jitter * (2 * ((own + random.random()) % 1.0) - 1))
