"""Energy meter of the bench: integrates the readings of a power sensor, sampled by a thread."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from edgeagent.sensors.energy import EnergyMeter, PowerSample, Quality, integrate_power
from edgeagent.sensors.power import PowerMeter
from edgeagent.sensors.rapl import RaplMeter, rapl_unavailable_reason

PERIOD_S = 0.5


class SampledMeter:
    """Energy counter on a power sensor; implements :class:`edgeagent.sensors.energy.EnergyMeter`.

    After a gap or a change of the sensor the energy is unknown, and all further readings are None.

    Args:
        meter: power meter with a readable sensor.
        source, quality: name and coverage of that sensor.
    """

    def __init__(self, meter: PowerMeter, source: str, quality: Quality) -> None:
        self.source, self.quality = source, quality
        self._meter, self._lock = meter, threading.Lock()
        self._joules: float | None = 0.0
        self._last = self._sample()
        self._thread = threading.Thread(target=self._run, name="sampled-meter", daemon=True)
        self._stopping = threading.Event()
        self._thread.start()

    def read_j(self) -> float | None:
        """Return joules since the meter was created; None once the energy is unknown."""
        with self._lock:
            now = self._sample()
            step = integrate_power(self._last, now)
            known = step.source == self.source and step.joules is not None and self._joules is not None
            self._joules = (self._joules or 0.0) + (step.joules or 0.0) if known else None
            self._last = now
            return self._joules

    def close(self) -> None:
        """Stop the sampling thread."""
        self._stopping.set()
        self._thread.join()

    def _sample(self) -> PowerSample:
        now_ns = time.monotonic_ns()
        return PowerSample(now_ns, self._meter.read(now_ns))

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.read_j()


def find_meter(root: Path = Path("/")) -> tuple[EnergyMeter | None, str]:
    """Return (energy meter, ""), or (None, reason for the user) without a sensor.

    A power sensor is preferred to RAPL, which covers the processor packages only.
    """
    meter = PowerMeter(root)
    reading = meter.read()  # RAPL has no reading at the first call
    if reading is not None:
        return SampledMeter(meter, reading.source, reading.quality), ""
    why = rapl_unavailable_reason(root)
    return (RaplMeter(root), "") if why is None else (None, why)
