"""Package power of an x86 processor, from RAPL: /sys/class/powercap/intel-rapl:N/energy_uj.

Packages only: cores are inside them, and ``psys``, which stands beside them, has them inside. The counter
wraps at max_energy_range_uj. It is usually readable by root alone; then there is no reading.
"""

from __future__ import annotations

from pathlib import Path


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
        energies, ranges = self._energies()
        last, self._last = self._last, (now_ns, energies)
        if not energies or last is None or last[1].keys() != energies.keys() or now_ns <= last[0]:
            return None
        microjoules = sum(
            energy - last[1][name] + (ranges[name] if energy < last[1][name] else 0)
            for name, energy in energies.items()
        )
        return microjoules * 1000 / (now_ns - last[0])

    def _energies(self) -> tuple[dict[str, int], dict[str, int]]:
        energies, ranges = {}, {}
        for package in sorted(self._root.glob("sys/class/powercap/intel-rapl:*")):
            try:
                if not (package / "name").read_text(encoding="ascii").startswith("package"):
                    continue
                energies[package.name] = int((package / "energy_uj").read_text(encoding="ascii"))
                ranges[package.name] = int((package / "max_energy_range_uj").read_text(encoding="ascii"))
            except (OSError, ValueError):
                energies.pop(package.name, None)
        return energies, ranges
