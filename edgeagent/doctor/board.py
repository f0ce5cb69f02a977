"""The board: its model, its system, its page size."""

from __future__ import annotations

import os
import re

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.sensors.board import read_board

CORAL_PAGE_KIB = 4
"""What the Coral PCIe driver needs; the Raspberry Pi 5's own kernel has 16, kernel8.img has 4."""


def check_model(around: ExaminedSystem) -> list[Finding]:
    """Name the board and its system."""
    board = read_board(around.root)
    lines = [Finding("board", "ok", f"{board.model or 'unknown model'}, {board.architecture}")]
    lines.append(Finding("system", "ok", f"{board.system}, kernel {board.kernel}"))
    return lines


def check_jetson(around: ExaminedSystem) -> list[Finding]:
    """Name the Jetson Linux release, of ``# R36 (release), REVISION: 4.3, ...``."""
    text = read_file(around.root / "etc/nv_tegra_release")
    if text is None:
        return []
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    if match is None:
        return [Finding("Jetson Linux", "warning", f"release not understood: {text.splitlines()[0][:60]}")]
    return [Finding("Jetson Linux", "ok", f"R{match.group(1)}.{match.group(2)}")]


def check_page_size(around: ExaminedSystem) -> list[Finding]:
    """Compare the kernel's page size with what an accelerator's driver needs."""
    size = _page_kib(around)
    coral = sorted(around.root.glob("sys/bus/pci/devices/*/vendor"))
    on_pcie = any(read_file(path) == "0x1ac1" for path in coral) or any(around.root.glob("dev/apex_*"))
    if on_pcie and size != CORAL_PAGE_KIB:
        return [
            Finding(
                "kernel pages",
                "problem",
                f"{size} KiB, and there is a Coral on PCIe, whose driver needs {CORAL_PAGE_KIB} KiB",
                "on a Raspberry Pi 5 set kernel=kernel8.img in config.txt and restart",
            )
        ]
    return [Finding("kernel pages", "ok", f"{size} KiB")]


def _page_kib(around: ExaminedSystem) -> int:
    """Return the page size that the kernel tells (proc(5), smaps), else that of this process."""
    text = read_file(around.root / "proc/self/smaps") or ""
    match = re.search(r"^KernelPageSize:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) if match else os.sysconf("SC_PAGE_SIZE") // 1024
