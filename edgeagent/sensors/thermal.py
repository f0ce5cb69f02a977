"""Temperatures of the kernel's thermal zones: /sys/class/thermal/thermal_zoneN/{type,temp}, in m degC."""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

OFFLINE = (-256000, -256)  # what a Jetson reports for a zone that is powered down


def read_temperatures(root: Path = Path("/")) -> dict[str, float]:
    """Return degrees Celsius by zone type, the hottest of equal types; unreadable zones are absent."""
    found: dict[str, float] = {}
    for zone in find_files(root, "sys/class/thermal/thermal_zone*"):
        name, value = read_text(zone / "type"), read_number(zone / "temp")
        if name is not None and value is not None and value not in OFFLINE:
            found[name] = max(value / 1000, found.get(name, float("-inf")))
    return found
