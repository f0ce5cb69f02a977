"""Electrical power, from the sensor with the widest coverage that gives a reading.

Order of the sensors::

    whole board     1. INA238                              Jetson AGX Thor
                    2. discharging batteries               boards that run on one
    module          3. INA3221, rail VDD_IN or POM_5V_IN   Jetson Nano, TX2, Xavier NX, Orin Nano, Orin NX
    measured rail   4. INA3221, sum of its rails           Jetson AGX Orin, AGX Xavier
                    5. power meter with an hwmon driver    INA219 and related chips, USB meters
                    6. PMIC, sum of its rails              Raspberry Pi 5
                    7. RAPL, sum of the packages           x86
    estimated       8. watts declared in the settings      any

A sum covers the readable rails, and the source names them: readings of different sources are different
quantities. Most sensors give the instantaneous power; RAPL and the declared watts give the mean since the
last reading.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeagent.sensors import battery_power, hwmon_power, ina238, ina3221, rpi_pmic
from edgeagent.sensors.declared_power import DeclaredPower
from edgeagent.sensors.energy import Quality
from edgeagent.sensors.rapl import SOURCE as RAPL
from edgeagent.sensors.rapl import Rapl


@dataclass(frozen=True, slots=True)
class Power:
    """Power reading.

    Attributes:
        watts: instantaneous power, or the mean since the last reading.
        source: name of the sensor and its rails.
        quality: what the reading covers, or ``estimated``.
        mean: whether ``watts`` is the mean since the last reading.
        estimated_input_w: estimated power of the whole board where a published fit to the measured rails
            exists.
    """

    watts: float
    source: str
    quality: Quality
    mean: bool = False
    estimated_input_w: float | None = None


class PowerMeter:
    """Reader of the power sensors.

    Args:
        root: directory that holds /sys and /usr.
        declared: fallback without a sensor.
    """

    def __init__(self, root: Path = Path("/"), declared: DeclaredPower | None = None) -> None:
        self._root, self._declared = root, declared
        self._rapl = Rapl(root)
        self._chip: str | None = None

    def read(self, now_ns: int | None = None) -> Power | None:
        """Return the current power; None without a readable sensor.

        Args:
            now_ns: monotonic time of this call in nanoseconds, for means since the last call; None reads the
                clock.
        """
        return next(self._readings(time.monotonic_ns() if now_ns is None else now_ns), None)

    def _readings(self, now_ns: int) -> Iterator[Power]:
        rails = ina3221.read_ina3221_rails(self._root)
        watts = ina238.read_ina238_watts(self._root)
        if watts is not None:
            yield Power(watts, "INA238 VIN", "whole board")
        watts = battery_power.read_battery_watts(self._root)
        if watts is not None:
            yield Power(watts, "battery", "whole board")
        for name in ina3221.INPUT_RAILS:
            if name in rails:
                yield Power(rails[name], f"INA3221 {name}", "module")
        if rails:
            yield Power(sum(rails.values()), f"INA3221 {_names(rails)}", "measured rail")
        yield from self._hwmon_readings()
        rails = rpi_pmic.read_pmic_rails(self._root)
        if rails:
            estimate = rpi_pmic.estimate_input_w(rails)
            source = f"PMIC, {len(rails)} rails"
            yield Power(sum(rails.values()), source, "measured rail", estimated_input_w=estimate)
        watts = self._rapl.read_watts(now_ns)
        if watts is not None:
            yield Power(watts, RAPL, "measured rail", mean=True)
        watts = self._declared.read_watts() if self._declared else None
        if watts is not None:
            yield Power(watts, "declared watts and processor load", "estimated", mean=True)

    def _hwmon_readings(self) -> Iterator[Power]:
        """Yield the reading of one hwmon power meter: the one with the highest first reading, permanently.

        Of meters in series this is the outermost; the sum of all would count the inner ones twice.
        """
        chips = hwmon_power.read_hwmon_watts(self._root)
        if self._chip is None and chips:
            self._chip = max(chips, key=lambda name: chips[name])
        if self._chip in chips:
            yield Power(chips[self._chip], self._chip, "measured rail")


def _names(rails: Mapping[str, float]) -> str:
    return " + ".join(sorted(rails))
