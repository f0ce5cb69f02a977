"""Package energy and power of an x86 processor, from RAPL: /sys/class/powercap/intel-rapl:N/energy_uj.

Packages only: cores are inside them, and ``psys``, which stands beside them, has them inside. The counter
wraps at max_energy_range_uj: one that is lower than before has wrapped once, so it must be read more often
than it wraps (after some minutes under load). It is usually readable by root alone; then there is no reading.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from edgeagent.sensors.energy import Quality

ZONES = "sys/class/powercap/intel-rapl:*"
SOURCE = "RAPL packages"


class Rapl:
    """Watts between two readings."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last: tuple[int, dict[str, int]] | None = None

    def read_watts(self, now_ns: int) -> float | None:
        """Return the mean power of all packages since the last call in watts; None at the first.

        Args:
            now_ns: monotonic time of this call.
        """
        energies, ranges = _read_packages(self._root)
        last, self._last = self._last, (now_ns, energies)
        if not energies or last is None or last[1].keys() != energies.keys() or now_ns <= last[0]:
            return None
        return _used_uj(last[1], energies, ranges) * 1000 / (now_ns - last[0])


class RaplMeter:
    """Joules since the meter was made; see :class:`edgeagent.sensors.energy.EnergyMeter`.

    A reading that fails is None; the next one that succeeds counts what was used in between. It stays None
    when the packages are others than at the start.
    """

    source = SOURCE
    quality: Quality = "measured rail"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last, _ = _read_packages(root)
        self._total_uj = 0

    def read_j(self) -> float | None:
        """See :class:`edgeagent.sensors.energy.EnergyMeter`."""
        energies, ranges = _read_packages(self._root)
        if not energies or energies.keys() != self._last.keys():
            return None
        self._total_uj += _used_uj(self._last, energies, ranges)
        self._last = energies
        return self._total_uj / 1e6


def why_no_reading(root: Path = Path("/")) -> str | None:
    """Return why there is no reading of RAPL, in words for people, or None where there is one."""
    counters = [zone / "energy_uj" for zone in sorted(root.glob(ZONES)) if _is_package(zone)]
    if not counters:
        return "no sensor"
    if _read_packages(root)[0]:
        return None
    try:
        counters[0].read_bytes()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{SOURCE}: {counters[0]} is readable by root alone; run as root"
        return f"{SOURCE}: {counters[0]} cannot be read ({error.strerror})"
    return f"{SOURCE}: {counters[0]} gives no energy"


def _used_uj(last: Mapping[str, int], now: Mapping[str, int], ranges: Mapping[str, int]) -> int:
    """Return microjoules between two readings of the same packages, one wrap of each counted in."""
    return sum(
        energy - last[name] + (ranges[name] if energy < last[name] else 0) for name, energy in now.items()
    )


def _is_package(zone: Path) -> bool:
    try:
        return (zone / "name").read_text(encoding="ascii").startswith("package")
    except (OSError, ValueError):
        return False


def _read_packages(root: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return the counter and its range in microjoules by zone, of packages that can be read."""
    energies, ranges = {}, {}
    for package in sorted(root.glob(ZONES)):
        if not _is_package(package):
            continue
        try:
            energy = int((package / "energy_uj").read_text(encoding="ascii"))
            ranges[package.name] = int((package / "max_energy_range_uj").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        energies[package.name] = energy
    return energies, ranges
