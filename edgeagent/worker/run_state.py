"""Run state of a process, thread by thread: state, processor time, and time in the run queue.

Sources: proc_pid_stat(5), Documentation/scheduler/sched-stats.rst (``schedstat``: nanoseconds on a processor,
nanoseconds in the run queue, time slices), Documentation/accounting/psi.rst. ``schedstat`` and ``pressure``
are missing on some kernels; processor time then comes from ``stat`` in steps of 10 ms.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PRESSURE = ("io", "memory")


@dataclass(frozen=True, slots=True)
class ThreadState:
    """A thread at one moment.

    Attributes:
        state: letter of proc_pid_stat(5): R runnable, S sleeping, D waiting for a device or page,
            T stopped.
        ran_s: processor time so far, in seconds.
        queued_s: time so far in the run queue without a processor, in seconds; 0.0 where it is unknown.
    """

    state: str
    ran_s: float
    queued_s: float


@dataclass(frozen=True, slots=True)
class RunState:
    """A process at one moment.

    Attributes:
        at_s: monotonic time in seconds.
        threads: by thread id; empty when the process is gone.
        stalled_s: total time in which the machine had tasks that waited for pages or disks, in seconds.
    """

    at_s: float
    threads: Mapping[int, ThreadState] = field(default_factory=dict)
    stalled_s: float = 0.0


def read_run_state(pid: int, root: Path = Path("/proc")) -> RunState:
    """Return the run state of a process; one that is gone, or that cannot be read, has no threads."""
    threads = {}
    folder = root / str(pid) / "task"
    try:
        folders = list(folder.iterdir())
    except OSError:
        folders = []
    for one in folders:
        try:
            threads[int(one.name)] = _read_thread(one)
        except (OSError, ValueError, IndexError):
            continue  # it has ended since
    return RunState(
        time.monotonic(), threads, sum(_read_pressure(root / "pressure" / one) for one in PRESSURE)
    )


def _read_thread(folder: Path) -> ThreadState:
    fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    state, ticks = fields[0], int(fields[11]) + int(fields[12])
    try:
        ran_ns, queued_ns = map(int, (folder / "schedstat").read_text().split()[:2])
    except (OSError, ValueError):
        ran_ns = queued_ns = 0
    ran_s = ran_ns / 1e9 if ran_ns else ticks / os.sysconf("SC_CLK_TCK")
    return ThreadState(state, ran_s, queued_ns / 1e9)


def _read_pressure(path: Path) -> float:
    """Return the total of the line ``some``, in seconds; 0.0 where the kernel does not tell."""
    try:
        some = path.read_text().partition("\n")[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return 0.0
