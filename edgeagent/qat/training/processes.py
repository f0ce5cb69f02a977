"""Processes of a run: one, or several started by torch's launcher.

``torchrun --nproc-per-node 2 -m edgeagent qat train ...`` starts each process with RANK and WORLD_SIZE in its
environment. Each trains on its share of every step's pictures; only the first one measures and writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """Position of this process among the processes of the run.

    Attributes:
        rank: rank of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def same(self, value: Value) -> Value:
        """Return the value of the first process, in all processes (broadcast)."""
        if self.size == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, 0)
        return shared[0]

    def wait(self) -> None:
        """Wait until all processes have called this (barrier)."""
        if self.size > 1:
            distributed.barrier()


def is_first_process() -> bool:
    """Return whether this process is the first one of its run, also before the processes are joined."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the process group of torch's launcher; without the launcher there is one process."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        yield Processes()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Processes(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
