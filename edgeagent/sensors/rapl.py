"""Package energy and power of an x86 processor, from RAPL: /sys/class/powercap/intel-rapl:N/energy_uj.

Only packages are summed: cores are part of them, and ``psys`` contains them. The counter wraps at
``max_energy_range_uj`` (after some minutes under load) and must be read more often than that: a counter below
its last value has wrapped once. The file is usually readable by root only; otherwise there is no reading.

Source of the format: Linux, ``Documentation/power/powercap/powercap.rst``.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from edgeagent.sensors.energy import Quality

ZONES = "sys/class/powercap/intel-rapl:*"
SOURCE = "RAPL packages"


class Rapl:
    """Mean package power between two readings."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last: tuple[int, dict[str, int]] | None = None

    def read_watts(self, now_ns: int) -> float | None:
        """Return the mean power of all packages since the last call in watts; None on the first call.

        Args:
            now_ns: monotonic time of this call in nanoseconds.
        """
        energies, ranges = _read_packages(self._root)
        last, self._last = self._last, (now_ns, energies)
        if not energies or last is None or last[1].keys() != energies.keys() or now_ns <= last[0]:
            return None
        return _used_uj(last[1], energies, ranges) * 1000 / (now_ns - last[0])


class RaplMeter:
    """Energy counter of all packages; implements :class:`edgeagent.sensors.energy.EnergyMeter`.

    A failed reading is None; the next successful one includes the energy used in between. Readings stay None
    when the set of packages differs from the one at the start.
    """

    source = SOURCE
    quality: Quality = "measured rail"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last, _ = _read_packages(root)
        self._total_uj = 0

    def read_j(self) -> float | None:
        """Return joules since the meter was created; None without a reading."""
        energies, ranges = _read_packages(self._root)
        if not energies or energies.keys() != self._last.keys():
            return None
        self._total_uj += _used_uj(self._last, energies, ranges)
        self._last = energies
        return self._total_uj / 1e6


def rapl_unavailable_reason(root: Path = Path("/")) -> str | None:
    """Return why RAPL gives no reading, as a message for the user; None when it does."""
    counters = [zone / "energy_uj" for zone in sorted(root.glob(ZONES)) if _is_package(zone)]
    if not counters:
        return "no sensor"
    if _read_packages(root)[0]:
        return None
    try:
        counters[0].read_bytes()
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{SOURCE}: {counters[0]} is readable by root only; run as root"
        return f"{SOURCE}: {counters[0]} cannot be read ({error.strerror})"
    return f"{SOURCE}: {counters[0]} gives no energy"


def _used_uj(last: Mapping[str, int], now: Mapping[str, int], ranges: Mapping[str, int]) -> int:
    """Return microjoules between two readings of the same packages, corrected for one wrap each."""
    return sum(
        energy - last[name] + (ranges[name] if energy < last[name] else 0) for name, energy in now.items()
    )


def _is_package(zone: Path) -> bool:
    try:
        return (zone / "name").read_text(encoding="ascii").startswith("package")
    except (OSError, ValueError):
        return False


def _counter(path: Path) -> int:
    counter = int(path.read_text(encoding="ascii"))
    if not 0 <= counter < 1 << 64:
        raise ValueError(f"{path}: the kernel's counters have 64 bits")
    return counter


def _read_packages(root: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return (counters, ranges) of the readable packages in microjoules, by zone."""
    energies, ranges = {}, {}
    for package in sorted(root.glob(ZONES)):
        if not _is_package(package):
            continue
        try:
            energy = _counter(package / "energy_uj")
            ranges[package.name] = _counter(package / "max_energy_range_uj")
        except (OSError, ValueError):
            continue
        energies[package.name] = energy
    return energies, ranges
