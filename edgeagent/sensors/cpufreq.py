"""Processor clocks, from /sys/devices/system/cpu/cpufreq/policyN/ in kHz.

A policy is a group of cores that share a clock (Linux, ``Documentation/admin-guide/pm/cpufreq.rst``).
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number

POLICIES = "sys/devices/system/cpu/cpufreq/policy*"


def read_frequencies_mhz(root: Path = Path("/")) -> dict[str, float]:
    """Return the current clock in MHz by policy, such as ``policy0``."""
    clocks = {policy.name: read_number(policy / "scaling_cur_freq") for policy in find_files(root, POLICIES)}
    return {name: kilohertz / 1000 for name, kilohertz in clocks.items() if kilohertz is not None}


def is_capped(root: Path = Path("/")) -> bool | None:
    """Return whether the maximum clock of any policy is below its hardware limit; None without cpufreq."""
    limits = []
    for policy in find_files(root, POLICIES):
        allowed = read_number(policy / "scaling_max_freq")
        possible = read_number(policy / "cpuinfo_max_freq")
        if allowed is not None and possible is not None:
            limits.append(allowed < possible)
    return any(limits) if limits else None
