"""Memory of request bodies that are being received, bounded for each tenant and for all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

MOST_OF_TENANT, MOST_OF_ALL = 16_777_216, 67_108_864
"""Most bytes that wait at once: of one tenant, and of all."""


class BodyMemoryFullError(Exception):
    """Too many bytes are on their way; the client shall come again."""


class BodyMemory:
    """Count of the bytes that are held; used by one event loop.

    Args:
        of_tenant, of_all: most bytes.
    """

    def __init__(self, of_tenant: int = MOST_OF_TENANT, of_all: int = MOST_OF_ALL) -> None:
        self._of_tenant, self._of_all = of_tenant, of_all
        self._held: Counter[str] = Counter()

    @contextmanager
    def body(self, tenant: str) -> Iterator[BodyShare]:
        """Return what one body holds; all of it is free again at the end."""
        share = BodyShare(self, tenant)
        try:
            yield share
        finally:
            self._held[tenant] -= share.size
            if not self._held[tenant]:
                del self._held[tenant]

    def take(self, tenant: str, size: int) -> None:
        """Count more bytes.

        Raises:
            BodyMemoryFullError: there is no room for them; they are not counted.
        """
        if self._held[tenant] + size > self._of_tenant or self._held.total() + size > self._of_all:
            raise BodyMemoryFullError
        self._held[tenant] += size


class BodyShare:
    """Bytes of one body.

    Attributes:
        size: number of bytes so far.
    """

    def __init__(self, memory: BodyMemory, tenant: str) -> None:
        self._memory, self._tenant, self.size = memory, tenant, 0

    def grow(self, size: int) -> None:
        """Hold more bytes.

        Raises:
            BodyMemoryFullError: there is no room for them.
        """
        self._memory.take(self._tenant, size)
        self.size += size
