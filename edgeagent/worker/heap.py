"""Heap of the C library: memory that is freed goes back to the system, in the agent and in its workers.

glibc gives each thread an arena of its own, and raises the size from which an allocation is a mapping of its
own to that of the largest one that was freed: after the first frame, freed frames stay in the heaps of the
threads.
Sources: mallopt(3), malloc/malloc.h of glibc.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
ARENAS = 2
MAPPED_BYTES = 256 << 10
"""Size from which an allocation is a mapping of its own; the frame path allocates none of that size."""


def return_freed_memory() -> bool:
    """Set the limits; call it before there are threads.

    Returns:
        Whether they are set; False for a C library other than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)) and bool(mallopt(_M_ARENA_MAX, ARENAS))
