"""Temperatures of the kernel's thermal zones: /sys/class/thermal/thermal_zoneN/{type,temp}, in m degC."""

from __future__ import annotations

from pathlib import Path

OFFLINE = (-256000, -256)  # what a Jetson reports for a zone that is powered down


def read_temperatures(root: Path = Path("/")) -> dict[str, float]:
    """Return degrees Celsius by zone type, the hottest of equal types; unreadable zones are absent."""
    found: dict[str, float] = {}
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        try:
            name = (zone / "type").read_text(encoding="ascii").strip()
            value = int((zone / "temp").read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if value not in OFFLINE:
            found[name] = max(value / 1000, found.get(name, float("-inf")))
    return found
