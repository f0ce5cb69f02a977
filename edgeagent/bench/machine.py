"""Machine of a run: identity and thermal state.

Signs of throttling are a processor clock held below its limit (:mod:`edgeagent.sensors.cpufreq`) and the
flags of a Raspberry Pi's firmware (:mod:`edgeagent.sensors.throttling`).
"""

from __future__ import annotations

import os
from pathlib import Path

from edgeagent.bench.results import Machine, ThermalState
from edgeagent.sensors.board import read_board
from edgeagent.sensors.cpufreq import is_capped
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.sensors.throttling import read_throttling


def describe_machine(root: Path = Path("/")) -> Machine:
    """Return the identity of the machine and the number of processors available to this process."""
    board = read_board(root)
    return Machine(
        model=board.model,
        architecture=board.architecture,
        system=board.system,
        kernel=board.kernel,
        processors=len(os.sched_getaffinity(0)),
    )


def read_thermal_state(root: Path = Path("/")) -> ThermalState:
    """Return temperatures and signs of throttling; unreadable values are absent."""
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
