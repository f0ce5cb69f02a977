"""Checks of the clock: a wrong date makes telemetry useless and TLS certificates invalid."""

from __future__ import annotations

import shutil
import subprocess

from edgeagent.doctor.finding import ExaminedSystem, Finding

FIRST_YEAR, LAST_YEAR = 2025, 2100
"""Plausible years: a board without a battery starts in 1970 or with the date of its image."""

_DEADLINE_S = 5.0


def check_year(system: ExaminedSystem) -> list[Finding]:
    """Check that the date is plausible."""
    found = f"{system.now:%Y-%m-%d %H:%M} UTC"
    if FIRST_YEAR <= system.now.year < LAST_YEAR:
        return [Finding("clock", "ok", found)]
    action = "set it (timedatectl set-time), and start a time service"
    return [Finding("clock", "problem", f"{found} is implausible", action)]


def check_synchronized(system: ExaminedSystem) -> list[Finding]:
    """Check time synchronisation: flag file of systemd-timesyncd.service(8), or else timedatectl."""
    if (system.root / "run/systemd/timesync/synchronized").exists():
        return [Finding("time service", "ok", "synchronised")]
    synchronized = _timedatectl() if system.live else None
    if synchronized == "yes":
        return [Finding("time service", "ok", "synchronised")]
    found = "not synchronised" if synchronized == "no" else "synchronisation state unknown"
    return [Finding("time service", "warning", found, "start systemd-timesyncd or chrony")]


def _timedatectl() -> str | None:
    program = shutil.which("timedatectl")
    if program is None:
        return None
    command = [program, "show", "--property", "NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
