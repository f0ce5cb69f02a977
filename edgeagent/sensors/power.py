"""Electrical power, from the best sensor that gives a reading."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgeagent.sensors import ina3221
from edgeagent.sensors.energy import Quality
from edgeagent.sensors.rapl import Rapl


@dataclass(frozen=True, slots=True)
class Power:
    """A reading in watts, what gave it, and what it covers."""

    watts: float
    source: str
    quality: Quality


class PowerMeter:
    """Asks the sensors, the one that covers most first."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._rapl = Rapl(root)

    def read(self) -> Power | None:
        """Return the present power; None without a sensor that can be read."""
        watts = ina3221.read_watts(self._root)
        if watts is not None:
            return Power(watts, "INA3221", "whole board")
        watts = self._rapl.read_watts(time.monotonic_ns())
        if watts is not None:
            return Power(watts, "RAPL packages", "measured rail")
        return None
