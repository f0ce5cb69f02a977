"""Power of a board without a sensor, from what its owner declares: watts when idle and at full load.

Between the two it is taken to grow with the load of the processors, which leaves out accelerators, so it is
an estimate and says so.
"""

from __future__ import annotations

import psutil


class DeclaredPower:
    """Watts from processor load.

    Args:
        idle_w, full_w: of the whole board.
    """

    def __init__(self, idle_w: float, full_w: float) -> None:
        self._idle_w, self._full_w = idle_w, full_w
        self._last = _times()

    def read_watts(self) -> float | None:
        """Return the mean estimated power since the last call; None when no time has passed."""
        last, self._last = self._last, _times()
        idle, total = self._last[0] - last[0], self._last[1] - last[1]
        return None if total <= 0 else estimate_w(self._idle_w, self._full_w, 1 - idle / total)


def estimate_w(idle_w: float, full_w: float, load: float) -> float:
    """Return watts at a load of 0..1; loads outside are taken as the nearer end."""
    return idle_w + (full_w - idle_w) * min(max(load, 0.0), 1.0)


def _times() -> tuple[float, float]:
    """Return (idle, total) seconds of all processors since boot; guests' time is in user time already."""
    times = psutil.cpu_times()
    counted = {name: value for name, value in times._asdict().items() if not name.startswith("guest")}
    return times.idle + counted.get("iowait", 0.0), sum(counted.values())
