"""All readings of a board at one moment that are not power; what it does not have is absent or empty."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from edgeagent.sensors import cpufreq, devfreq, gpu
from edgeagent.sensors.apex import Apex, read_apex
from edgeagent.sensors.hailo import HailoThermometer
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.sensors.throttling import Throttling, read_throttling

INVENTED = ("PMIC-Die",)
"""Zones of a Jetson Nano that always read the same, 50 or 100 degrees."""


@dataclass(frozen=True)
class DeviceState:
    """Readings.

    Attributes:
        temperatures_c: by thermal zone.
        throttling: what the firmware of a Raspberry Pi says.
        clocks_mhz: by group of cores.
        gpu_percent, gpu_mhz: of a Jetson.
        apex: Coral chips on PCIe.
        hailo_c: temperatures of Hailo chips.
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
        """The highest temperature of all zones; None without one."""
        real = (heat for zone, heat in self.temperatures_c.items() if zone not in INVENTED)
        return max(real, default=None)

    @property
    def throttled(self) -> bool | None:
        """Whether the firmware or a Coral has lowered its clock; None where nothing tells."""
        known = [chip.throttled for chip in self.apex.values() if chip.throttled is not None]
        if self.throttling is not None:
            known.append("throttled" in self.throttling.now)
        return any(known) if known else None

    @property
    def under_voltage(self) -> bool | None:
        """Whether the supply is too weak now; None where nothing tells."""
        return None if self.throttling is None else "under_voltage" in self.throttling.now


class DeviceSensors:
    """Reads everything.

    Args:
        root: below which /sys, /dev and /usr lie.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root, self._hailo = root, HailoThermometer(root)

    def read(self) -> DeviceState:
        """Return what there is; takes as long as the slowest sensor, so not in the way of frames."""
        root = self._root
        return DeviceState(
            temperatures_c=read_temperatures(root),
            throttling=read_throttling(root),
            clocks_mhz=cpufreq.read_frequencies_mhz(root),
            gpu_percent=gpu.read_percent(root),
            gpu_mhz=devfreq.read_gpu_mhz(root),
            apex=read_apex(root),
            hailo_c=self._hailo.read(time.monotonic()),
        )

    def close(self) -> None:
        """Leave no question behind."""
        self._hailo.close()
