"""Over-current events of a Jetson: counters of the hwmon chip ``soctherm_oc``, cumulative since boot.

``ocN_event_cnt``: 1 is under-voltage, 2 average over-current, 3 instantaneous over-current. At each event the
clocks are cut for a moment, so that a weak supply shows in latency.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

NAMES = {1: "under_voltage", 2: "average_over_current", 3: "instantaneous_over_current"}


def read_counters(root: Path = Path("/")) -> dict[str, int]:
    """Return events since boot by kind; counters that cannot be read are absent."""
    found = {}
    for chip in find_files(root, "sys/class/hwmon/hwmon*"):
        if read_text(chip / "name") != "soctherm_oc":
            continue
        for number, name in NAMES.items():
            count = read_number(chip / f"oc{number}_event_cnt")
            if count is not None:
                found[name] = count
    return found


class OverCurrent:
    """Counts events between two readings."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._last = read_counters(root)

    def read(self) -> dict[str, int]:
        """Return events since the last call by kind; of a counter that could not be read before, none."""
        now = read_counters(self._root)
        # a counter that is lower than before has begun again at 0
        events = {
            name: count - last if count >= last else count
            for name, count in now.items()
            if (last := self._last.get(name)) is not None
        }
        self._last.update(now)
        return events
