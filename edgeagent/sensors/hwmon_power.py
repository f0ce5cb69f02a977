"""Power meters with an hwmon driver: INA219, INA226, INA260 and related chips, USB power meters.

::

    /sys/class/hwmon/hwmonN/name            ina219
        power1_input (uW), or in1_input (mV) and curr1_input (mA): bus voltage and current
    USB meter (ChargerLAB POWER-Z, name powerz): in0_input (mV) and curr1_input (mA)

Whether such a meter covers the whole board depends on its wiring, so its reading counts as a measured rail.
Chips that measure a single component (a graphics card) are not read.

Sources of the formats: Linux, ``Documentation/hwmon/sysfs-interface.rst``, ``ina2xx.rst``, ``powerz.rst``.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

INA = ("ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina232", "ina233", "ina237", "ina238")
VOLTAGE = {**dict.fromkeys((*INA, "ina260"), "in1_input"), "powerz": "in0_input"}
"""Voltage file that belongs to ``curr1_input``, by chip name."""


def read_hwmon_watts(root: Path = Path("/")) -> dict[str, float]:
    """Return watts by chip; unreadable chips are absent.

    The key is the chip name (``ina219``), with the folder where several chips share it (``ina219 hwmon3``).
    """
    found = [
        (name, folder)
        for folder in find_files(root, "sys/class/hwmon/hwmon*")
        if (name := read_text(folder / "name")) in VOLTAGE and name is not None
    ]
    names = [name for name, _ in found]
    chips = {}
    for name, folder in found:
        watts = _watts(name, folder)
        if watts is not None:
            chips[name if names.count(name) == 1 else f"{name} {folder.name}"] = watts
    return chips


def _watts(name: str, folder: Path) -> float | None:
    microwatts = read_number(folder / "power1_input")
    if microwatts is not None:
        return microwatts / 1e6
    millivolts, milliamperes = read_number(folder / VOLTAGE[name]), read_number(folder / "curr1_input")
    return None if millivolts is None or milliamperes is None else millivolts * abs(milliamperes) / 1e6
