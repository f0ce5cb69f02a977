"""The processes of a run: one, or several started by torch's launcher.

``torchrun --nproc-per-node 2 -m edgeagent qat train ...`` starts each with RANK and WORLD_SIZE in its
environment. All train, on their share of every step's pictures; the first one alone measures and writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

Value = TypeVar("Value")


@dataclass(frozen=True)
class Processes:
    """This process among those of the run.

    Attributes:
        rank: of this process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def same(self, value: Value) -> Value:
        """Return the first process's value, in all of them."""
        if self.size == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared, 0)
        return shared[0]

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that torch's launcher started; without it there is one."""
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
