"""Room: disk, state folder, spool, memory and shared memory."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.files.state_folder import default_state
from edgeagent.telemetry.mqtt.spool import SPOOL, damaged_name

MIB = 1024 * 1024
LEAST_DISK, LEAST_MEMORY, LEAST_SHARED = 200 * MIB, 150 * MIB, 32 * MIB
"""Bytes below which something is going to fail: compiled engines and logs; agent and worker; frames."""


def check_state(around: ExaminedSystem) -> list[Finding]:
    """See whether the state folder can be written, and whether its disk has room."""
    folder = (around.settings.state if around.settings else None) or default_state()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"x")
            probe.flush()
    except OSError as error:
        action = "run as the user of the service, or set state: to a folder that this user may write"
        return [Finding("state folder", "problem", f"{folder}: {error.strerror}", action)]
    free = shutil.disk_usage(existing).free
    lines = [Finding("state folder", "ok", f"{folder} can be written")]
    if free < LEAST_DISK:
        lines.append(Finding("disk", "warning", f"{free // MIB} MiB free for {folder}", "make room"))
    else:
        lines.append(Finding("disk", "ok", f"{free // MIB} MiB free for {folder}"))
    return lines


def check_spool(around: ExaminedSystem) -> list[Finding]:
    """See how full the spool of telemetry is, without opening it: it belongs to the agent."""
    settings = around.settings
    if settings is None or settings.mqtt.host is None or settings.telemetry.spool is None:
        return []
    path = (settings.state or default_state()) / SPOOL
    lines = []
    aside = damaged_name(path)
    if aside.exists():
        action = "look after the disk, it loses what was written; delete the file when you have seen it"
        lines.append(Finding("spool", "warning", f"{aside} was damaged and put aside", action))
    size = path.stat().st_size if path.exists() else 0
    found = f"{size / 1e6:.1f} MB of {settings.telemetry.spool.size / 1e6:g} MB at most"
    return [*lines, Finding("spool", "ok", found)]


def check_memory(around: ExaminedSystem) -> list[Finding]:
    """Read MemAvailable (proc(5), meminfo)."""
    match = re.search(
        r"^MemAvailable:\s+(\d+) kB", read_file(around.root / "proc/meminfo") or "", re.MULTILINE
    )
    if match is None:
        return [Finding("memory", "warning", "the kernel does not tell what is available")]
    available = int(match.group(1)) * 1024
    found = f"{available // MIB} MiB available"
    if available < LEAST_MEMORY:
        return [Finding("memory", "warning", found, "stop other programs, or take a smaller model")]
    return [Finding("memory", "ok", found)]


def check_shared_memory(around: ExaminedSystem) -> list[Finding]:
    """See whether frames can lie in /dev/shm, where the engine's process reads them."""
    folder: Path = around.root / "dev/shm"
    if not folder.is_dir():
        return [Finding("shared memory", "problem", "there is no /dev/shm", "mount a tmpfs there")]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Finding("shared memory", "problem", "no permission on /dev/shm", "chmod 1777 /dev/shm")]
    free = shutil.disk_usage(folder).free
    if free < LEAST_SHARED:
        action = "give it more: in a container --shm-size"
        return [Finding("shared memory", "problem", f"{free // MIB} MiB free in /dev/shm", action)]
    return [Finding("shared memory", "ok", f"{free // MIB} MiB free in /dev/shm")]
