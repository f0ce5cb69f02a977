"""Sensors of power and heat: whether they are there and can be read; none is needed for detection."""

from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.line import Line, Surroundings, read_text
from edgeagent.sensors import ina3221
from edgeagent.sensors.thermal import read_temperatures


def check_thermal(around: Surroundings) -> list[Line]:
    """See how many thermal zones give a temperature."""
    zones = sorted(around.root.glob("sys/class/thermal/thermal_zone*"))
    if not zones:
        return [Line("thermal zones", "not there", "none below /sys/class/thermal")]
    read = read_temperatures(around.root)
    verdict = Line(
        "thermal zones", "ok", f"{', '.join(sorted(read))} of {len(zones)} zones give a temperature"
    )
    return [verdict if read else Line("thermal zones", "warning", f"none of {len(zones)} zones can be read")]


def check_hwmon(around: Surroundings) -> list[Line]:
    """Name the chips of hwmon."""
    chips = [read_text(path) or "?" for path in sorted(around.root.glob("sys/class/hwmon/hwmon*/name"))]
    return [Line("hwmon", "ok", ", ".join(chips)) if chips else Line("hwmon", "not there", "no chip")]


def check_power(around: Surroundings) -> list[Line]:
    """See which sensor gives the electrical power."""
    rails = [
        path
        for path in sorted(around.root.glob("sys/bus/i2c/devices/*/name"))
        if "ina3221" in (read_text(path) or "")
    ]
    packages = sorted(around.root.glob("sys/class/powercap/intel-rapl:*/energy_uj"))
    lines = []
    if rails:
        watts = ina3221.read_watts(around.root)
        found = (
            f"input power {watts:.1f} W" if watts is not None else "no rail of the board's input, so no total"
        )
        lines.append(Line("INA3221", "ok" if watts is not None else "warning", found))
    if packages:
        lines.append(_rapl(packages))
    return lines or [Line("power sensor", "not there", "no INA3221 and no RAPL: telemetry has no watts")]


def check_apex(around: Surroundings) -> list[Line]:
    """Read status and temperature of Coral chips on PCIe."""
    lines = []
    for chip in sorted(around.root.glob("sys/class/apex/apex_*")):
        status, heat = read_text(chip / "status"), read_text(chip / "temp")
        trip = read_text(chip / "trip_point0_temp")
        if status != "ALIVE" or not (heat or "").lstrip("-").isdigit():
            lines.append(Line(chip.name, "problem", f"status {status or 'unreadable'}", "restart the board"))
            continue
        degrees = int(heat or "0") / 1000
        hot = (trip or "").isdigit() and degrees >= int(trip or "0") / 1000
        found = f"{status}, {degrees:.1f} degrees"
        lines.append(
            Line(chip.name, "warning", f"{found}: its clock is divided", "cool it")
            if hot
            else Line(chip.name, "ok", found)
        )
    return lines


def _rapl(packages: list[Path]) -> Line:
    unreadable = [path for path in packages if not _readable(path)]
    if not unreadable:
        return Line("RAPL", "ok", f"{len(packages)} counters can be read")
    action = "root may read it; for others set its mode by a tmpfiles rule, knowing that it is a side channel"
    return Line("RAPL", "warning", "counters are there but not for this user: no watts", action)


def _readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True
