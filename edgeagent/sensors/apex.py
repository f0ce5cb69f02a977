"""Coral chips on PCIe: /sys/class/apex/apex_N/.

``temp`` and ``trip_pointN_temp`` are in millidegrees Celsius, rounded by the driver: the chip's converter has
steps of 250, so 85000 reads back as 84800. Above each trip point the driver divides the chip's clock. A Coral
on USB reports no temperature.

Source of the format: google/gasket-driver, ``src/apex_driver.c``, ``gasket_core.c``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text


@dataclass(frozen=True, slots=True)
class Apex:
    """Readings of one chip; None where the driver reports nothing.

    Attributes:
        status: ALIVE, LAMED or DEAD.
        temperature_c: chip temperature in degrees Celsius.
        trip_points_c: temperatures in degrees Celsius; above each of them the clock is divided once more.
    """

    status: str | None
    temperature_c: float | None
    trip_points_c: tuple[float, ...]

    @property
    def throttled(self) -> bool | None:
        """Whether the clock is divided; None when the temperature or the trip points are unknown."""
        if self.temperature_c is None or not self.trip_points_c:
            return None
        return self.temperature_c >= min(self.trip_points_c)


def read_apex(root: Path = Path("/")) -> dict[str, Apex]:
    """Return the readings by chip name, such as ``apex_0``."""
    return {chip.name: _read_chip(chip) for chip in find_files(root, "sys/class/apex/apex_*")}


def _read_chip(chip: Path) -> Apex:
    millidegrees = read_number(chip / "temp")
    trips = (read_number(chip / f"trip_point{number}_temp") for number in range(3))
    return Apex(
        status=read_text(chip / "status"),
        temperature_c=None if millidegrees is None else millidegrees / 1000,
        trip_points_c=tuple(trip / 1000 for trip in trips if trip is not None),
    )
