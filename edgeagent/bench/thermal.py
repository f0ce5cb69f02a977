"""Heat and throttling before and after a run: a hot board is a slower board.

Throttling is told by what the system offers: a clock that is held below the processor's own limit
(:mod:`edgeagent.sensors.cpufreq`), and the firmware of a Raspberry Pi (:mod:`edgeagent.sensors.throttling`).
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.bench.results import ThermalState
from edgeagent.sensors.cpufreq import is_capped
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.sensors.throttling import read_throttling


def read_thermal_state(root: Path = Path("/")) -> ThermalState:
    """Return temperatures and signs of throttling; what cannot be read is absent."""
    capped, firmware = is_capped(root), read_throttling(root)
    signs = [name.replace("_", " ") for name in firmware.now] if firmware else []
    if capped:
        signs.append("processor clock held below its limit")
    known = capped is not None or firmware is not None
    return ThermalState(
        temperatures_c=read_temperatures(root),
        throttled=bool(signs) if known else None,
        signs=tuple(signs),
    )
