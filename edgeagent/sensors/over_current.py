"""Over-current events of a Jetson: counters of the hwmon chip ``soctherm_oc``, cumulative since boot.

``ocN_event_cnt``: N = 1 is under-voltage, 2 average over-current, 3 instantaneous over-current. Each event
lowers the clocks briefly, so a weak supply increases latency.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

NAMES = {1: "under_voltage", 2: "average_over_current", 3: "instantaneous_over_current"}


def read_over_current_counts(root: Path = Path("/")) -> dict[str, int]:
    """Return events since boot by kind; unreadable counters are absent."""
    counts = {}
    for chip in find_files(root, "sys/class/hwmon/hwmon*"):
        if read_text(chip / "name") != "soctherm_oc":
            continue
        for number, name in NAMES.items():
            count = read_number(chip / f"oc{number}_event_cnt")
            if count is not None:
                counts[name] = count
    return counts


class OverCurrent:
    """Counter of events between two readings."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last = read_over_current_counts(root)

    def read(self) -> dict[str, int]:
        """Return events since the last call by kind, without counters that had no earlier reading."""
        now = read_over_current_counts(self._root)
        # a counter below its last value was reset to 0
        events = {
            name: count - last if count >= last else count
            for name, count in now.items()
            if (last := self._last.get(name)) is not None
        }
        self._last.update(now)
        return events
