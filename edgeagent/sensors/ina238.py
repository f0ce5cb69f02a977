"""Input power of a Jetson AGX Thor, from the INA238 in its supply line.

``/sys/bus/i2c/devices/*/hwmon/hwmonN/power1_input``, in microwatts (an INA3221 gives milliwatts). On a Thor
it measures VIN, all that flows into the carrier board, other loads behind the same shunt included; on other
boards an INA238 may sit anywhere and is one of :mod:`edgeagent.sensors.hwmon_power`'s.

Formats: Linux, ``Documentation/hwmon/ina238.rst``; jetson_stats, pull request 900.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.board import read_board
from edgeagent.sensors.ina3221 import find_chips
from edgeagent.sensors.kernel_file import find_files, read_number


def read_ina238_watts(root: Path = Path("/")) -> float | None:
    """Return the board's input power in watts; None on other boards, and without a reading."""
    if "Thor" not in (read_board(root).model or ""):
        return None
    for chip in find_chips(root, "ina238"):
        for folder in find_files(chip, "hwmon/hwmon*"):
            microwatts = read_number(folder / "power1_input")
            if microwatts is not None:
                return microwatts / 1e6
    return None
