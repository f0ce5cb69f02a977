"""Input power of a Jetson, from its INA3221: hwmon of JetPack 5 and 6, iio of JetPack 4.

The rail VDD_IN (or POM_5V_IN) is the whole board's input. A board without one (AGX Orin) has no total: its
other rails do not add up to the input, so there is no reading.
"""

from __future__ import annotations

from pathlib import Path

INPUT_RAILS = ("VDD_IN", "POM_5V_IN")


def read_watts(root: Path = Path("/")) -> float | None:
    """Return the board's input power in watts; None where there is no such sensor or rail."""
    for name in sorted(root.glob("sys/bus/i2c/devices/*/name")):
        if "ina3221" not in (_read(name) or ""):
            continue
        for folder in sorted(name.parent.glob("hwmon/hwmon*")):
            for label in sorted(folder.glob("in*_label")):
                if _read(label) in INPUT_RAILS:
                    number = label.name.removeprefix("in").removesuffix("_label")
                    return _product(folder / f"in{number}_input", folder / f"curr{number}_input")
        for folder in sorted(name.parent.glob("iio:device*")):
            for label in sorted(folder.glob("rail_name_*")):
                if _read(label) in INPUT_RAILS:
                    number = label.name.removeprefix("rail_name_")
                    milliwatts = _number(folder / f"in_power{number}_input")
                    return None if milliwatts is None else milliwatts / 1000
    return None


def _product(millivolts: Path, milliamperes: Path) -> float | None:
    volts, amperes = _number(millivolts), _number(milliamperes)
    return None if volts is None or amperes is None else volts * amperes / 1e6


def _number(path: Path) -> int | None:
    text = _read(path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
