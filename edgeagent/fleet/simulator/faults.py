"""Faults of a simulated fleet, each by a share of the messages or of the devices."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields

from edgeagent.errors import ConfigurationError
from edgeagent.telemetry.contract.messages import historical


@dataclass(frozen=True)
class Faults:
    """Shares, 0 to 1.

    Attributes:
        duplicates: of the messages that are published twice.
        lost: of the telemetry messages that are never published.
        late: of the messages that are held back and replayed later, as from a spool.
        poison: of the messages that are followed by one that is no JSON.
        forged: of the messages that are followed by one that names another device than its topic.
        newer: of the messages with fields and words of a newer contract.
        clock: of the devices whose clock is of 1970 or of 2100.
        restarts: of the messages before which the agent starts again.
    """

    duplicates: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    poison: float = 0.0
    forged: float = 0.0
    newer: float = 0.0
    clock: float = 0.0
    restarts: float = 0.0


def parse_faults(text: str) -> Faults:
    """Return the faults of a text such as ``lost=1%,clock=2%``; ``all=1%`` sets all.

    Raises:
        ConfigurationError: an unknown fault, or no share.
    """
    names = [field.name for field in fields(Faults)]
    found: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, share = part.partition("=")
        try:
            value = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise ConfigurationError(f"--faults: {part!r}: expected a share such as {name}=1%")
        if name != "all" and name not in names:
            raise ConfigurationError(f"--faults: {name!r} is none of all, {', '.join(names)}")
        found.update(dict.fromkeys(names, value) if name == "all" else {name: value})
    return Faults(**found)


class Spoiler:
    """What becomes of a message: the payloads to publish in its place, now or later.

    Args:
        faults: shares.
        seed: of what is drawn.

    Attributes:
        counts: messages by fault.
    """

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults, self._random = faults, random.Random(seed)
        self.counts: Counter[str] = Counter()

    def chance(self, name: str) -> bool:
        """Draw whether a fault happens, and count it."""
        happens: bool = self._random.random() < getattr(self._faults, name)
        if happens:
            self.counts[name] += 1
        return happens

    def now(self, payload: bytes) -> list[bytes]:
        """Return the payloads to publish for one message."""
        if self.chance("newer"):
            payload = newer(payload)
        published = [payload]
        if self.chance("duplicates"):
            published.append(payload)
        if self.chance("poison"):
            published.append(payload[: max(1, len(payload) // 2)])
        if self.chance("forged"):
            published.append(forged(payload))
        return published

    @staticmethod
    def later(payload: bytes) -> bytes:
        """Return the payload of a message that has waited on the device."""
        return historical(payload)


def newer(payload: bytes) -> bytes:
    """Return a message as a newer version of the contract may send it: with unknown fields."""
    fields_of: Mapping[str, object] = json.loads(payload)
    return json.dumps({**fields_of, "sea_state": {"height_m": 1.2}, "generation": 2}).encode()


def forged(payload: bytes) -> bytes:
    """Return a message that names another device than its topic."""
    fields_of: Mapping[str, object] = json.loads(payload)
    return json.dumps({**fields_of, "device": "another-device"}).encode()
