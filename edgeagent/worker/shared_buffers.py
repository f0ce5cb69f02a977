"""Tensor buffers in memory that two processes share, without a file system.

The memory is anonymous (``memfd_create``): it needs no room in /dev/shm, and the kernel frees it with the
last process that maps it. Layout: slot after slot, each with all inputs and then all outputs, every tensor
aligned to a cache line::

    | slot 0: input 0 | input 1 | ... | output 0 | ... | slot 1: ...
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence

import numpy as np

from edgeagent.engines.engine import Buffers, TensorSpec
from edgeagent.errors import EngineError

ALIGNMENT = 64  # bytes of a cache line, and what engines ask of a tensor's address


class SharedBuffers:
    """Slots of shared memory, each with buffers for all tensors of one call.

    Args:
        inputs: specifications of the inputs.
        outputs: specifications of the outputs.
        count: of slots.
        descriptor: of the memory, from the process that created it; None creates it.

    Attributes:
        descriptor: of the memory, to be passed to the other process.

    Raises:
        EngineError: there is not enough memory.
    """

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        count: int,
        descriptor: int | None = None,
    ) -> None:
        specs = (*inputs, *outputs)
        sizes = [_aligned(int(np.prod(spec.shape)) * spec.dtype.itemsize) for spec in specs]
        self._size = max(sum(sizes) * count, ALIGNMENT)
        self.descriptor = self._make() if descriptor is None else descriptor
        try:
            self._memory = mmap.mmap(self.descriptor, self._size)
        except (OSError, ValueError) as error:
            os.close(self.descriptor)
            raise EngineError(f"cannot share {self._size} bytes with the worker ({error})") from error
        self._slots = [self._slot(specs, len(inputs), sizes, number * sum(sizes)) for number in range(count)]

    def __getitem__(self, number: int) -> Buffers:
        """Return a slot."""
        return self._slots[number]

    def __iter__(self) -> Iterator[Buffers]:
        """Iterate over the slots."""
        return iter(self._slots)

    def __len__(self) -> int:
        """Return the number of slots."""
        return len(self._slots)

    def forget_descriptor(self) -> None:
        """Close the descriptor, once both processes have mapped the memory; the arrays keep it mapped."""
        os.close(self.descriptor)

    def _make(self) -> int:
        try:
            descriptor = os.memfd_create("edgeagent-slots", os.MFD_CLOEXEC)
        except OSError as error:
            raise EngineError(f"cannot share memory with the worker ({error})") from error
        try:
            os.posix_fallocate(descriptor, 0, self._size)  # now, instead of a bus error on the first frame
        except OSError as error:
            os.close(descriptor)
            raise EngineError(
                f"cannot reserve {self._size} bytes of memory for the worker ({error.strerror}); use fewer "
                "cameras or a smaller model"
            ) from error
        return descriptor

    def _slot(self, specs: Sequence[TensorSpec], inputs: int, sizes: Sequence[int], start: int) -> Buffers:
        arrays = []
        for spec, size in zip(specs, sizes, strict=True):
            count = int(np.prod(spec.shape))
            arrays.append(np.frombuffer(self._memory, spec.dtype, count, start).reshape(spec.shape))
            start += size
        return Buffers(tuple(arrays[:inputs]), tuple(arrays[inputs:]))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
