"""Priority of a worker: lowered while it loads beside one that serves, and as before while it is measured.

A process may always lower its priority, and raise it again only as far as its limit ``RLIMIT_NICE`` allows,
or with the capability ``CAP_SYS_NICE``; the unit of the service sets ``LimitNICE=+0``.
Sources: setpriority(2), getrlimit(2), capabilities(7).
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

NICE_OF_LIMIT = 20
"""``RLIMIT_NICE`` is this number less the lowest niceness that may be taken."""
_CAP_SYS_NICE = 23


def may_return_to(nice: int) -> bool:
    """Return whether a process of this user may come back to a niceness after it had a higher one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return soft == resource.RLIM_INFINITY or soft >= NICE_OF_LIMIT - nice or _has_capability()


def set_niceness(pid: int, nice: int) -> None:
    """Set the niceness of all threads of a process; those that have ended since are left out.

    Raises:
        PermissionError: it would be lower, and may not be; see :func:`may_return_to`.
    """
    for thread in list(Path(f"/proc/{pid}/task").iterdir()):
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)


def _has_capability() -> bool:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        effective = next(line.split()[1] for line in lines if line.startswith("CapEff:"))
        return bool(int(effective, 16) >> _CAP_SYS_NICE & 1)
    except (OSError, StopIteration, ValueError, IndexError):
        return False
