"""When a device looks for a newer model."""

from __future__ import annotations

import hashlib
from random import Random


def next_look_s(check_every: float, jitter: float, device_id: str, random: Random) -> float:
    """Return the seconds until the next look, evenly spread over ``check_every * (1 -+ jitter)``.

    Devices without a battery may all start with one state of the random generator, after a power cut at
    one moment; the id of the device keeps them apart then.

    Args:
        check_every: seconds between two looks on average.
        jitter: share of it, 0..1.
        device_id: of this device.
        random: source of chance.
    """
    own = int.from_bytes(hashlib.sha256(device_id.encode()).digest()[:4], "big") / 2**32
    return check_every * (1 + jitter * (2 * ((own + random.random()) % 1.0) - 1))
