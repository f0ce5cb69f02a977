"""Input power of a Jetson AGX Thor, from the INA238 in its supply line.

The file is /sys/bus/i2c/devices/*/hwmon/hwmonN/power1_input in microwatts. On a Thor the INA238 measures VIN:
the carrier board and all other loads behind the same shunt. On other boards its position is unknown, and
:mod:`edgeagent.sensors.hwmon_power` reads it as a measured rail.

Sources of the format: Linux, ``Documentation/hwmon/ina238.rst``; jetson_stats, pull request 900.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.board import read_board
from edgeagent.sensors.ina3221 import find_chips
from edgeagent.sensors.kernel_file import find_files, read_number


def read_ina238_watts(root: Path = Path("/")) -> float | None:
    """Return the board's input power in watts; None on other boards and without a reading."""
    if "Thor" not in (read_board(root).model or ""):
        return None
    for chip in find_chips(root, "ina238"):
        for folder in find_files(chip, "hwmon/hwmon*"):
            microwatts = read_number(folder / "power1_input")
            if microwatts is not None:
                return microwatts / 1e6
    return None
