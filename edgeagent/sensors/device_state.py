"""Device state: all readings of a board except power, taken together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgeagent.sensors.apex import Apex, read_apex
from edgeagent.sensors.cpufreq import read_frequencies_mhz
from edgeagent.sensors.devfreq import read_gpu_mhz
from edgeagent.sensors.gpu import read_gpu_percent
from edgeagent.sensors.hailo import HailoThermometer
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.sensors.throttling import Throttling, read_throttling

CONSTANT_ZONES = ("PMIC-Die",)
"""Thermal zones of a Jetson Nano that always read the same value, 50 or 100 degrees Celsius."""


@dataclass(frozen=True)
class DeviceState:
    """Readings of a board; None or an empty dictionary where the board has no such sensor.

    Attributes:
        temperatures_c: degrees Celsius by thermal zone.
        throttling: throttling flags from the firmware of a Raspberry Pi.
        clocks_mhz: processor clock by cpufreq policy.
        gpu_percent, gpu_mhz: load and clock of a Jetson's GPU.
        apex: Coral chips on PCIe, by name.
        hailo_c: degrees Celsius by Hailo chip.
    """

    temperatures_c: dict[str, float]
    throttling: Throttling | None
    clocks_mhz: dict[str, float]
    gpu_percent: float | None
    gpu_mhz: float | None
    apex: dict[str, Apex]
    hailo_c: dict[str, float]

    @property
    def hottest_c(self) -> float | None:
        """Highest temperature of all measuring zones in degrees Celsius; None without a zone."""
        measured = (value for zone, value in self.temperatures_c.items() if zone not in CONSTANT_ZONES)
        return max(measured, default=None)

    @property
    def throttled(self) -> bool | None:
        """Whether the firmware or a Coral has lowered a clock; None when neither reports throttling."""
        known = [chip.throttled for chip in self.apex.values() if chip.throttled is not None]
        if self.throttling is not None:
            known.append("throttled" in self.throttling.now)
        return any(known) if known else None

    @property
    def under_voltage(self) -> bool | None:
        """Whether the supply voltage is too low now; None when the firmware does not report it."""
        return None if self.throttling is None else "under_voltage" in self.throttling.now


class DeviceSensors:
    """Reader of the device state.

    Args:
        root: directory that holds /sys, /dev and /usr.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root, self._hailo = root, HailoThermometer(root)

    def read(self) -> DeviceState:
        """Return all readings. Takes as long as the slowest sensor: call it outside the frame path."""
        root = self._root
        return DeviceState(
            temperatures_c=read_temperatures(root),
            throttling=read_throttling(root),
            clocks_mhz=read_frequencies_mhz(root),
            gpu_percent=read_gpu_percent(root),
            gpu_mhz=read_gpu_mhz(root),
            apex=read_apex(root),
            hailo_c=self._hailo.read(time.monotonic()),
        )

    def close(self) -> None:
        """Cancel a pending query."""
        self._hailo.close()
