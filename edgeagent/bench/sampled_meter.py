"""A counter of energy for boards whose sensors give power, which a thread reads twice a second."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from edgeagent.sensors.energy import EnergyMeter, PowerSample, Quality, integrate_power
from edgeagent.sensors.power import PowerMeter
from edgeagent.sensors.rapl import RaplMeter, rapl_unavailable_reason

PERIOD_S = 0.5


class SampledMeter:
    """Joules since the meter was made; see :class:`edgeagent.sensors.energy.EnergyMeter`.

    After a gap, or when another sensor takes over, what was used is not known: no reading from then on.

    Args:
        meter: of power; it has a sensor.
        source, quality: of that sensor.
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
        """See :class:`edgeagent.sensors.energy.EnergyMeter`."""
        with self._lock:
            now = self._sample()
            step = integrate_power(self._last, now)
            known = step.source == self.source and step.joules is not None and self._joules is not None
            self._joules = (self._joules or 0.0) + (step.joules or 0.0) if known else None
            self._last = now
            return self._joules

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _sample(self) -> PowerSample:
        now_ns = time.monotonic_ns()
        return PowerSample(now_ns, self._meter.read(now_ns))

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            self.read_j()


def find_meter(root: Path = Path("/")) -> tuple[EnergyMeter | None, str]:
    """Return what measures energy here, or None and why there is nothing, in words for people.

    A sensor of power that covers more than the processor packages comes before RAPL.
    """
    meter = PowerMeter(root)
    reading = meter.read()  # RAPL gives its first one only after a while
    if reading is not None:
        return SampledMeter(meter, reading.source, reading.quality), ""
    why = rapl_unavailable_reason(root)
    return (RaplMeter(root), "") if why is None else (None, why)
