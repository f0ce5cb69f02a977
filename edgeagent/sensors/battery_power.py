"""Power of a board that runs on its battery or UPS, from /sys/class/power_supply/*/.

::

    type    Battery or UPS           status         Discharging
    power_now (uW), or voltage_now (uV) and current_now (uA), whose sign depends on the driver

A battery is read only while it discharges: its output is then the board's input. A charging battery says
nothing about the board, and supplies of type USB report the negotiated current, not the measured one.

Source of the format: Linux, ``Documentation/ABI/testing/sysfs-class-power``.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.battery import BATTERIES
from edgeagent.sensors.kernel_file import find_files, read_number, read_text


def read_battery_watts(root: Path = Path("/")) -> float | None:
    """Return the total power of all discharging batteries in watts.

    None when no battery discharges or when one of the discharging batteries cannot be read.
    """
    total = None
    for supply in find_files(root, "sys/class/power_supply/*"):
        if read_text(supply / "type") not in BATTERIES or read_text(supply / "scope") == "Device":
            continue
        if read_text(supply / "status") != "Discharging":
            continue
        watts = _watts(supply)
        if watts is None:
            return None
        total = (total or 0.0) + watts
    return total


def _watts(supply: Path) -> float | None:
    microwatts = read_number(supply / "power_now")
    if microwatts is not None:
        return abs(microwatts) / 1e6
    microvolts, microamperes = read_number(supply / "voltage_now"), read_number(supply / "current_now")
    return None if microvolts is None or microamperes is None else microvolts * abs(microamperes) / 1e12
