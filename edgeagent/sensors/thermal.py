"""Temperatures of the kernel's thermal zones: /sys/class/thermal/thermal_zoneN/{type,temp}.

``temp`` is in millidegrees Celsius (Linux, ``Documentation/driver-api/thermal/sysfs-api.rst``).
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

OFFLINE = (-256000, -256)
"""Readings of a Jetson's powered-down zones."""


def read_temperatures(root: Path = Path("/")) -> dict[str, float]:
    """Return degrees Celsius by zone type, the highest of equal types; unreadable zones are absent."""
    temperatures: dict[str, float] = {}
    for zone in find_files(root, "sys/class/thermal/thermal_zone*"):
        name, value = read_text(zone / "type"), read_number(zone / "temp")
        if name is not None and value is not None and value not in OFFLINE:
            temperatures[name] = max(value / 1000, temperatures.get(name, float("-inf")))
    return temperatures
