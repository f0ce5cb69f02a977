"""Checks of the board: model, operating system, kernel page size."""

from __future__ import annotations

import os
import re

from edgeagent.doctor.finding import ExaminedSystem, Finding, read_file
from edgeagent.sensors.board import read_board

CORAL_PAGE_KIB = 4
"""Page size required by the Coral PCIe driver. The Raspberry Pi 5's default kernel has 16, kernel8.img 4."""


def check_model(system: ExaminedSystem) -> list[Finding]:
    """Report the board model and its operating system."""
    board = read_board(system.root)
    findings = [Finding("board", "ok", f"{board.model or 'unknown model'}, {board.architecture}")]
    findings.append(Finding("system", "ok", f"{board.system}, kernel {board.kernel}"))
    return findings


def check_jetson(system: ExaminedSystem) -> list[Finding]:
    """Report the Jetson Linux release, parsed from ``# R36 (release), REVISION: 4.3, ...``."""
    text = read_file(system.root / "etc/nv_tegra_release")
    if text is None:
        return []
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", text)
    if match is None:
        return [Finding("Jetson Linux", "warning", f"unknown release format: {text.splitlines()[0][:60]}")]
    return [Finding("Jetson Linux", "ok", f"R{match.group(1)}.{match.group(2)}")]


def check_page_size(system: ExaminedSystem) -> list[Finding]:
    """Compare the kernel's page size with the requirement of the Coral PCIe driver."""
    size = _page_kib(system)
    coral = sorted(system.root.glob("sys/bus/pci/devices/*/vendor"))
    on_pcie = any(read_file(path) == "0x1ac1" for path in coral) or any(system.root.glob("dev/apex_*"))
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


def _page_kib(system: ExaminedSystem) -> int:
    """Return the page size in KiB from proc(5), smaps, or else that of this process."""
    text = read_file(system.root / "proc/self/smaps") or ""
    match = re.search(r"^KernelPageSize:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) if match else os.sysconf("SC_PAGE_SIZE") // 1024
