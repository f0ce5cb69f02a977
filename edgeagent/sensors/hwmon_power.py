"""Power meters that the kernel knows as hwmon chips: INA219, INA226, INA260 and their family, USB meters.

::

    /sys/class/hwmon/hwmonN/name            ina219
        power1_input (uW), or in1_input (mV) and curr1_input (mA), the bus voltage and its current
    a USB meter (ChargerLAB POWER-Z, name powerz): in0_input (mV) and curr1_input (mA)

What flows through such a meter is measured; whether that is the whole board nobody but who wired it knows, so
it counts as a measured rail. Chips that tell of one component (a graphics card) are not asked.

Formats: Linux, ``Documentation/hwmon/sysfs-interface.rst``, ``ina2xx.rst``, ``powerz.rst``.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

INA = ("ina209", "ina219", "ina220", "ina226", "ina230", "ina231", "ina232", "ina233", "ina237", "ina238")
VOLTAGE = {**dict.fromkeys((*INA, "ina260"), "in1_input"), "powerz": "in0_input"}
"""The file of the voltage at which the current flows, by name of the chip."""


def read_chips(root: Path = Path("/")) -> dict[str, float]:
    """Return watts by chip, as ``ina219`` or, of several, ``ina219 hwmon3``; unreadable ones are absent."""
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
