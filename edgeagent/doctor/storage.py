"""Checks of storage: state folder, disk, spool, memory and shared memory."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.telemetry.mqtt.spool import SPOOL, damaged_name

MIB = 1024 * 1024
MIN_DISK, MIN_MEMORY = 200 * MIB, 150 * MIB
"""Required bytes of disk (compiled engines, logs) and memory (agent, worker)."""
TRAINING_SHARED = 256 * MIB
"""Shared memory that holds the batches of the default recipe at 416 x 416."""


def check_state(system: ExaminedSystem) -> list[Finding]:
    """Check that the state folder is writable and its disk has free space."""
    folder = system.state_folder
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        action = "sudo -u edgeagent edgeagent doctor, or set state: to a folder that this user can write"
        return [Finding("state folder", "problem", f"{folder}: {error.strerror}", action)]
    free = shutil.disk_usage(existing).free
    findings = [Finding("state folder", "ok", f"{folder} can be written")]
    if free < MIN_DISK:
        findings.append(Finding("disk", "warning", f"{free // MIB} MiB free for {folder}", "free disk space"))
    else:
        findings.append(Finding("disk", "ok", f"{free // MIB} MiB free for {folder}"))
    return findings


def check_spool(system: ExaminedSystem) -> list[Finding]:
    """Report the fill level of the telemetry spool without opening it, because the agent owns it."""
    settings = system.settings
    if settings is None or settings.mqtt.host is None or settings.telemetry.spool is None:
        return []
    path = system.state_folder / SPOOL
    findings = []
    damaged = damaged_name(path)
    if damaged.exists():
        action = "check the disk for errors, then delete the file"
        findings.append(Finding("spool", "warning", f"{damaged} was damaged and set aside", action))
    size = path.stat().st_size if path.exists() else 0
    found = f"{size / 1e6:.1f} MB of {settings.telemetry.spool.size / 1e6:g} MB at most"
    return [*findings, Finding("spool", "ok", found)]


def check_memory(system: ExaminedSystem) -> list[Finding]:
    """Check the available memory: MemAvailable of proc(5), meminfo."""
    match = re.search(
        r"^MemAvailable:\s+(\d+) kB", read_file(system.root / "proc/meminfo") or "", re.MULTILINE
    )
    if match is None:
        return [Finding("memory", "warning", "the kernel does not report MemAvailable")]
    available = int(match.group(1)) * 1024
    found = f"{available // MIB} MiB available"
    if available < MIN_MEMORY:
        return [Finding("memory", "warning", found, "stop other programs, or use a smaller model")]
    return [Finding("memory", "ok", found)]


def check_shared_memory(system: ExaminedSystem) -> list[Finding]:
    """Report /dev/shm. Agent and worker do not need it; ``qat train`` loads pictures ahead through it."""
    folder: Path = system.root / "dev/shm"
    if not folder.is_dir():
        found = "there is no /dev/shm"
    elif not os.access(folder, os.W_OK | os.X_OK):
        found = "no permission on /dev/shm"
    else:
        free = shutil.disk_usage(folder).free
        found = f"{free // MIB} MiB free in /dev/shm"
        if free >= TRAINING_SHARED:
            return [Finding("shared memory", "ok", found)]
    found += "; running does not need it, `qat train` loads its pictures more slowly"
    return [Finding("shared memory", "ok", found)]
