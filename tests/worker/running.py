"""Worker processes that this process has running."""

from __future__ import annotations

import psutil

_earlier: set[int] = set()


def running_workers() -> list[psutil.Process]:
    """Return the workers that this process has started and that have not ended, those left out excepted."""
    children = psutil.Process().children()
    return [
        one for one in children if one.pid not in _earlier and "edgeagent.worker.process" in one.cmdline()
    ]


def leave_out_running_workers() -> None:
    """Leave out workers that run now: those of fixtures of the whole session."""
    _earlier.update(one.pid for one in running_workers())
