"""Checks of the power and temperature sensors: presence and readability. Detection needs none of them."""

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

RAPL_ACTION = "set its mode with a tmpfiles rule for users other than root; RAPL is a known side channel"


def check_thermal(system: ExaminedSystem) -> list[Finding]:
    """Report how many thermal zones give a temperature."""
    zones = sorted(system.root.glob("sys/class/thermal/thermal_zone*"))
    if not zones:
        return [Finding("thermal zones", "not there", "none below /sys/class/thermal")]
    read = read_temperatures(system.root)
    verdict = Finding(
        "thermal zones", "ok", f"{', '.join(sorted(read))} of {len(zones)} zones give a temperature"
    )
    return [
        verdict if read else Finding("thermal zones", "warning", f"none of {len(zones)} zones can be read")
    ]


def check_hwmon(system: ExaminedSystem) -> list[Finding]:
    """Report the names of the hwmon chips."""
    chips = [read_file(path) or "?" for path in sorted(system.root.glob("sys/class/hwmon/hwmon*/name"))]
    return [Finding("hwmon", "ok", ", ".join(chips)) if chips else Finding("hwmon", "not there", "no chip")]


def check_power(system: ExaminedSystem) -> list[Finding]:
    """Report the power sensor in use with its coverage, and why other sensors give no reading."""
    root = system.root
    reading = PowerMeter(root).read()  # RAPL needs two readings and is checked separately
    findings = []
    if reading is not None:
        findings.append(_power_finding(reading))
    findings += _silent_rails(root)
    no_rapl = rapl_unavailable_reason(root)
    if no_rapl is None:
        findings.append(Finding("RAPL", "ok", "energy of the processor packages (measured rail)"))
    elif no_rapl != "no sensor":
        findings.append(Finding("RAPL", "warning", no_rapl, RAPL_ACTION))
    return findings or [_no_power_finding(root, system.settings)]


def check_firmware(system: ExaminedSystem) -> list[Finding]:
    """Report the throttling flags of a Raspberry Pi."""
    found = read_throttling(system.root)
    if found is None:
        if not (read_board(system.root).model or "").startswith("Raspberry Pi"):
            return []
        action = "grant this user access to vcgencmd (group video)"
        return [Finding("supply and clock", "warning", "no throttling report from the firmware", action)]
    if found.now:
        text = ", ".join(name.replace("_", " ") for name in found.now)
        action = "use the official power supply" if "under_voltage" in found.now else "improve cooling"
        return [Finding("supply and clock", "warning", f"now: {text}", action)]
    past = ", ".join(name.replace("_", " ") for name in found.since_boot or ())
    return [Finding("supply and clock", "ok", f"no flag set now; since boot: {past or 'none'}")]


def check_over_current(system: ExaminedSystem) -> list[Finding]:
    """Report the over-current counters of a Jetson."""
    counters = read_over_current_counts(system.root)
    if not counters:
        return []
    text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counters.items())
    return [Finding("over-current events", "ok", f"since boot: {text}")]


def check_apex(system: ExaminedSystem) -> list[Finding]:
    """Check status and temperature of Coral chips on PCIe."""
    findings = []
    for name, chip in read_apex(system.root).items():
        if chip.status != "ALIVE" or chip.temperature_c is None:
            findings.append(
                Finding(name, "problem", f"status {chip.status or 'unreadable'}", "restart the board")
            )
            continue
        found = f"{chip.status}, {chip.temperature_c:.1f} degrees"
        findings.append(
            Finding(name, "warning", f"{found}: its clock is divided", "improve cooling")
            if chip.throttled
            else Finding(name, "ok", found)
        )
    return findings


def check_hailo(system: ExaminedSystem) -> list[Finding]:
    """Check that the temperature of a Hailo chip can be queried."""
    if not find_files(system.root, "dev/hailo[0-9]*"):
        return []
    if package_is_installed():
        return [Finding("Hailo temperature", "ok", "hailo_platform is installed")]
    action = "install HailoRT's Python package for this interpreter"
    return [
        Finding("Hailo temperature", "warning", "hailo_platform is not installed: no temperature", action)
    ]


def _power_finding(reading: Power) -> Finding:
    found = f"{reading.watts:.1f} W, {reading.source} ({reading.quality})"
    if reading.estimated_input_w is not None:
        found += f"; the whole board is estimated at {reading.estimated_input_w:.1f} W"
    return Finding("power", "ok", found)


def _silent_rails(root: Path) -> list[Finding]:
    """Report chips that are present without a readable rail."""
    findings = []
    if ina3221.find_chips(root) and not ina3221.read_ina3221_rails(root):
        action = "read the rails as the user of the service to see why"
        findings.append(Finding("INA3221", "warning", "none of its rails can be read", action))
    return findings


def _no_power_finding(root: Path, settings: Settings | None) -> Finding:
    if settings is not None and settings.power.full_w is not None:
        return Finding("power", "ok", "no sensor; estimated from the declared watts")
    if (read_board(root).model or "").startswith("Raspberry Pi 5"):
        action = "grant this user access to vcgencmd (group video)"
        return Finding("power", "warning", "no rail readings from the firmware", action)
    action = "declare power.idle_w and power.full_w for an estimate, or add a meter such as an INA219"
    return Finding("power", "not there", "no sensor: telemetry has no watts", action)
