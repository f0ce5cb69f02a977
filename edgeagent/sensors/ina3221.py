"""Power of a Jetson's rails, from its INA3221: hwmon on JetPack 5 and later, iio on JetPack 4.

::

    /sys/bus/i2c/devices/1-0040/name                            ina3221, or ina3221x
        hwmon/hwmonN/  in1_label  in1_input (mV)  curr1_input (mA)                       channels 1 to 3
        iio:deviceN/   rail_name_0  in_power0_input (mW)                                 channels 0 to 2

The rail VDD_IN (or POM_5V_IN) is the input of the module: the carrier board with its USB ports, fan and
converters is not included. A module without it (AGX Orin, AGX Xavier) has no total: its rails do not add up
to the input and are reported as measured rails. Channel 7 (sum of the shunt voltages) and channels labelled
NC (not connected) are not rails.

Source of the format: jetson_stats, ``jtop/core/power.py`` and the issues named there (#51, #344).
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

INPUT_RAILS = ("VDD_IN", "POM_5V_IN")
SUM_CHANNEL = "7"


def read_ina3221_rails(root: Path = Path("/")) -> dict[str, float]:
    """Return watts by rail; unreadable rails are absent."""
    rails: dict[str, float] = {}
    for chip in find_chips(root):
        for folder in find_files(chip, "hwmon/hwmon*"):
            rails.update(_hwmon_rails(folder))
        for folder in find_files(chip, "iio:device*"):
            rails.update(_iio_rails(folder))
    return rails


def read_ina3221_watts(root: Path = Path("/")) -> float | None:
    """Return the module's input power in watts; None without such a sensor or rail."""
    rails = read_ina3221_rails(root)
    return next((rails[name] for name in INPUT_RAILS if name in rails), None)


def find_chips(root: Path, name: str = "ina3221") -> list[Path]:
    """Return the folders of the I2C devices whose name contains ``name``."""
    devices = find_files(root, "sys/bus/i2c/devices/*/name")
    return [device.parent for device in devices if name in (read_text(device) or "")]


def _hwmon_rails(folder: Path) -> dict[str, float]:
    rails = {}
    for label in find_files(folder, "in*_label"):
        number = label.name.removeprefix("in").removesuffix("_label")
        name = read_text(label)
        millivolts = read_number(folder / f"in{number}_input")
        milliamperes = read_number(folder / f"curr{number}_input")
        if _is_rail(name, number) and millivolts is not None and milliamperes is not None:
            rails[name or ""] = millivolts * milliamperes / 1e6
    return rails


def _iio_rails(folder: Path) -> dict[str, float]:
    rails = {}
    for label in find_files(folder, "rail_name_*"):
        number = label.name.removeprefix("rail_name_")
        name, milliwatts = read_text(label), read_number(folder / f"in_power{number}_input")
        if _is_rail(name, "") and milliwatts is not None:
            rails[name or ""] = milliwatts / 1000
    return rails


def _is_rail(name: str | None, number: str) -> bool:
    return name is not None and "NC" not in name and number != SUM_CHANNEL
