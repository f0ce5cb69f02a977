"""Process that loads training pictures, as far as the shared memory of the machine allows.

Batches travel from the loading process through /dev/shm, which has 64 MB in a container by default.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where torch puts tensors of its workers
MOST_PREFETCHED = 4
IN_HAND = 2
"""Batches in memory beside the prefetched ones: one is being made, one is in use."""


@dataclass(frozen=True)
class LoadingPlan:
    """Number of processes and batches of a loader.

    Attributes:
        workers: 1, or 0 to load in the training process.
        prefetched: batches loaded ahead; None without a worker.
    """

    workers: int
    prefetched: int | None


def plan_loading(batch_bytes: int, processes: int = 1, folder: Path = SHARED_MEMORY) -> LoadingPlan:
    """Return how batches are loaded: ahead in a worker process where its shared memory holds them.

    Args:
        batch_bytes: size of a batch in bytes.
        processes: training processes on this machine, which share the memory.
        folder: file system of the shared memory.
    """
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return LoadingPlan(0, None)
    batches = shutil.disk_usage(folder).free // max(1, batch_bytes * processes)
    prefetched = min(MOST_PREFETCHED, batches - IN_HAND)
    return LoadingPlan(1, prefetched) if prefetched >= 1 else LoadingPlan(0, None)
