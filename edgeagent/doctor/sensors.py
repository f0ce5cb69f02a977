"""Sensors of power and heat: whether they are there and can be read; none is needed for detection."""

from __future__ import annotations

from pathlib import Path

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.sensors import ina3221
from edgeagent.sensors.apex import read_apex
from edgeagent.sensors.board import read_board
from edgeagent.sensors.hailo import package_is_installed
from edgeagent.sensors.kernel_file import find_files
from edgeagent.sensors.over_current import read_over_current_counts
from edgeagent.sensors.power import Power, PowerMeter
from edgeagent.sensors.rapl import rapl_unavailable_reason
from edgeagent.sensors.thermal import read_temperatures
from edgeagent.sensors.throttling import read_throttling
from edgeagent.settings.schema import Settings

READ_RAPL = "for others than root set its mode by a tmpfiles rule, knowing that it is a side channel"


def check_thermal(around: ExaminedSystem) -> list[Finding]:
    """See how many thermal zones give a temperature."""
    zones = sorted(around.root.glob("sys/class/thermal/thermal_zone*"))
    if not zones:
        return [Finding("thermal zones", "not there", "none below /sys/class/thermal")]
    read = read_temperatures(around.root)
    verdict = Finding(
        "thermal zones", "ok", f"{', '.join(sorted(read))} of {len(zones)} zones give a temperature"
    )
    return [
        verdict if read else Finding("thermal zones", "warning", f"none of {len(zones)} zones can be read")
    ]


def check_hwmon(around: ExaminedSystem) -> list[Finding]:
    """Name the chips of hwmon."""
    chips = [read_file(path) or "?" for path in sorted(around.root.glob("sys/class/hwmon/hwmon*/name"))]
    return [Finding("hwmon", "ok", ", ".join(chips)) if chips else Finding("hwmon", "not there", "no chip")]


def check_power(around: ExaminedSystem) -> list[Finding]:
    """See what gives the electrical power, what it covers, and why what is there gives nothing."""
    root = around.root
    reading = PowerMeter(root).read()  # RAPL needs two readings, so it is looked at by itself
    lines = []
    if reading is not None:
        lines.append(_power(reading))
    lines += _silent_rails(root)
    no_rapl = rapl_unavailable_reason(root)
    if no_rapl is None:
        lines.append(Finding("RAPL", "ok", "energy of the processor packages (measured rail)"))
    elif no_rapl != "no sensor":
        lines.append(Finding("RAPL", "warning", no_rapl, READ_RAPL))
    return lines or [_no_power(root, around.settings)]


def check_firmware(around: ExaminedSystem) -> list[Finding]:
    """See what a Raspberry Pi says of its supply and its clock."""
    found = read_throttling(around.root)
    if found is None:
        if not (read_board(around.root).model or "").startswith("Raspberry Pi"):
            return []
        action = "let this user run vcgencmd (group video)"
        return [Finding("supply and clock", "warning", "the firmware tells nothing", action)]
    if found.now:
        text = ", ".join(name.replace("_", " ") for name in found.now)
        action = "use the supply made for the board" if "under_voltage" in found.now else "cool it"
        return [Finding("supply and clock", "warning", f"now: {text}", action)]
    past = ", ".join(name.replace("_", " ") for name in found.since_boot or ())
    return [Finding("supply and clock", "ok", f"well now; since boot: {past or 'well'}")]


def check_over_current(around: ExaminedSystem) -> list[Finding]:
    """Read the counters of a Jetson."""
    counters = read_over_current_counts(around.root)
    if not counters:
        return []
    text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counters.items())
    return [Finding("over-current events", "ok", f"since boot: {text}")]


def check_apex(around: ExaminedSystem) -> list[Finding]:
    """Read status and temperature of Coral chips on PCIe."""
    lines = []
    for name, chip in read_apex(around.root).items():
        if chip.status != "ALIVE" or chip.temperature_c is None:
            lines.append(
                Finding(name, "problem", f"status {chip.status or 'unreadable'}", "restart the board")
            )
            continue
        found = f"{chip.status}, {chip.temperature_c:.1f} degrees"
        lines.append(
            Finding(name, "warning", f"{found}: its clock is divided", "cool it")
            if chip.throttled
            else Finding(name, "ok", found)
        )
    return lines


def check_hailo(around: ExaminedSystem) -> list[Finding]:
    """See whether a Hailo chip's temperature can be asked for."""
    if not find_files(around.root, "dev/hailo[0-9]*"):
        return []
    if package_is_installed():
        return [Finding("Hailo temperature", "ok", "hailo_platform is installed")]
    action = "install HailoRT's Python package for this interpreter"
    return [
        Finding("Hailo temperature", "warning", "hailo_platform is not installed: no temperature", action)
    ]


def _power(reading: Power) -> Finding:
    found = f"{reading.watts:.1f} W, {reading.source} ({reading.quality})"
    if reading.estimated_input_w is not None:
        found += f"; the whole board is estimated at {reading.estimated_input_w:.1f} W"
    return Finding("power", "ok", found)


def _silent_rails(root: Path) -> list[Finding]:
    """Name chips that are there and give nothing."""
    lines = []
    if ina3221.find_chips(root) and not ina3221.read_ina3221_rails(root):
        action = "read the rails as the user of the service to see why"
        lines.append(Finding("INA3221", "warning", "none of its rails can be read", action))
    return lines


def _no_power(root: Path, settings: Settings | None) -> Finding:
    if settings is not None and settings.power.full_w is not None:
        return Finding("power", "ok", "no sensor; estimated from the declared watts")
    if (read_board(root).model or "").startswith("Raspberry Pi 5"):
        action = "let this user run vcgencmd (group video)"
        return Finding("power", "warning", "the firmware does not tell the rails: no watts", action)
    action = "declare power.idle_w and power.full_w for an estimate, or add a meter such as an INA219"
    return Finding("power", "not there", "no sensor: telemetry has no watts", action)
