"""Processors: their flags, and how many this process may use.

The number is that of its affinity, bounded by the quota of its control groups.

A container with ``--cpus=2`` sees all processors of the machine, and is stopped for the rest of a period once
it has used its share. Each group above counts, too.

Source of the formats: Linux, ``Documentation/admin-guide/cgroup-v2.rst`` (``cpu.max``: quota and period in
microseconds, or ``max``) and ``Documentation/scheduler/sched-bwc.rst`` (version 1: ``cpu.cfs_quota_us``, -1
without a quota, and ``cpu.cfs_period_us``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from edgeagent.sensors.kernel_file import read_number, read_text

_MOUNT = "sys/fs/cgroup"
_MOUNTS_V1: tuple[str, ...] = (f"{_MOUNT}/cpu", f"{_MOUNT}/cpu,cpuacct", f"{_MOUNT}/cpuacct,cpu")
_MOUNTS_V2: tuple[str, ...] = (_MOUNT, f"{_MOUNT}/unified")


def available_processors(root: Path = Path("/")) -> int:
    """Return the number of processors, at least 1; a quota of 1.5 processors counts as 2."""
    processors = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]
    return max(1, min([processors, *map(math.ceil, quotas)]))


def processor_flags(root: Path = Path("/")) -> frozenset[str]:
    """Return the flags of the processor in lower case; empty where they cannot be read.

    Source of the format: Linux, ``/proc/cpuinfo``: a line ``flags`` on x86, ``Features`` on ARM.
    """
    try:
        with (root / "proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            named = (line.partition(":") for line in lines)
            return next(
                (
                    frozenset(rest.lower().split())
                    for name, _, rest in named
                    if name.strip().lower() in ("flags", "features")
                ),
                frozenset(),
            )
    except OSError:
        return frozenset()


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's groups and of those above, which need not all exist."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        mounts: tuple[str, ...]
        if number == "0" and not controllers:
            mounts = _MOUNTS_V2
        elif "cpu" in controllers.split(","):
            mounts = _MOUNTS_V1
        else:
            continue
        # without a namespace of its own a container sees the path outside: then only the mount itself exists
        group = PurePosixPath(*(part for part in path.split("/") if part not in ("", ".", "..")))
        for mount in mounts:
            yield from (root / mount / above for above in (group, *group.parents))


def _quota(folder: Path) -> float | None:
    """Return the quota of a group in processors; None without one."""
    words = (read_text(folder / "cpu.max") or "").split()
    if len(words) == 2 and all(word.isdecimal() and len(word) < 16 for word in words):
        quota, period = int(words[0]), int(words[1])
    else:
        quota = read_number(folder / "cpu.cfs_quota_us") or 0
        period = read_number(folder / "cpu.cfs_period_us") or 0
    return quota / period if quota > 0 and period > 0 else None
