"""The clock: telemetry is useless with a wrong date, and TLS refuses certificates that are not yet valid."""

from __future__ import annotations

import shutil
import subprocess

from edgeagent.doctor.finding import ExaminedSystem, Finding

FIRST_YEAR, LAST_YEAR = 2025, 2100
"""A board without a battery starts in 1970, or with the date of its image."""
_PATIENCE_S = 5.0


def check_year(around: ExaminedSystem) -> list[Finding]:
    """See whether the date can be right."""
    found = f"{around.now:%Y-%m-%d %H:%M} UTC"
    if FIRST_YEAR <= around.now.year < LAST_YEAR:
        return [Finding("clock", "ok", found)]
    action = "set it (timedatectl set-time), and start a time service"
    return [Finding("clock", "problem", f"{found} cannot be right", action)]


def check_synchronized(around: ExaminedSystem) -> list[Finding]:
    """Ask systemd-timesyncd's mark (systemd-timesyncd.service(8)), else timedatectl."""
    if (around.root / "run/systemd/timesync/synchronized").exists():
        return [Finding("time service", "ok", "synchronised")]
    answer = _timedatectl() if around.live else None
    if answer == "yes":
        return [Finding("time service", "ok", "synchronised")]
    found = "not synchronised" if answer == "no" else "nothing says whether the clock is synchronised"
    return [Finding("time service", "warning", found, "start systemd-timesyncd or chrony")]


def _timedatectl() -> str | None:
    program = shutil.which("timedatectl")
    if program is None:
        return None
    command = [program, "show", "--property", "NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
