"""Estimated power of a board without a sensor, from its declared idle and full-load watts.

The estimate interpolates linearly over processor load. Accelerators are not included, so the reading is
always marked as estimated.
"""

from __future__ import annotations

import psutil


class DeclaredPower:
    """Estimate of the board's power from processor load.

    Args:
        idle_w: watts of the whole board when idle.
        full_w: watts of the whole board at full processor load.
    """

    def __init__(self, idle_w: float, full_w: float) -> None:
        self._idle_w, self._full_w = idle_w, full_w
        self._last = _times()

    def read_watts(self) -> float | None:
        """Return the mean estimated power since the last call in watts; None when no time has passed."""
        last, self._last = self._last, _times()
        idle, total = self._last[0] - last[0], self._last[1] - last[1]
        return None if total <= 0 else estimate_w(self._idle_w, self._full_w, 1 - idle / total)


def estimate_w(idle_w: float, full_w: float, load: float) -> float:
    """Return watts at a processor load of 0..1; other loads are clipped to that range."""
    return idle_w + (full_w - idle_w) * min(max(load, 0.0), 1.0)


def _times() -> tuple[float, float]:
    """Return (idle, total) seconds of all processors since boot; user time already includes guest time."""
    times = psutil.cpu_times()
    counted = {name: value for name, value in times._asdict().items() if not name.startswith("guest")}
    return times.idle + counted.get("iowait", 0.0), sum(counted.values())
