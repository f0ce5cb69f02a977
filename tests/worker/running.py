"""Worker processes that this process has running."""

from __future__ import annotations

import psutil


def running_workers() -> list[psutil.Process]:
    """Return the workers that this process has started and that have not ended."""
    return [child for child in psutil.Process().children() if "edgeagent.worker.process" in child.cmdline()]
