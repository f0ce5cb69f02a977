"""The spool of an outbox, and what happens when the disk fails: never an error, another attempt later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edgeagent.files.disk_io import bytes_written
from edgeagent.telemetry.mqtt.spool import Spool, SpoolError, Waiting

logger = logging.getLogger(__name__)

RETRY_S = 60.0  # a spool that failed is tried again

T = TypeVar("T")


@dataclass(frozen=True)
class SpoolState:
    """The spool at one moment.

    Attributes:
        on_disk: False while the disk fails and messages wait in memory.
        waiting: messages in it.
        size: bytes of its file in use.
        damaged: files that were put aside.
        written: bytes that were written to the disk for it; None where the kernel does not tell.
    """

    on_disk: bool = False
    waiting: int = 0
    size: int = 0
    damaged: int = 0
    written: int | None = None


class FaultTolerantSpool:
    """A spool that may fail. One thread uses it.

    Args:
        open_spool: opens the spool; None is for ever without one.
    """

    def __init__(self, open_spool: Callable[[], Spool] | None) -> None:
        self._open_spool = open_spool
        self._spool: Spool | None = None
        self._failed = False
        self._damaged = self._noted = 0
        self.due = 0.0 if open_spool else float("inf")
        """Monotonic time of the next attempt to open it."""

    @property
    def usable(self) -> bool:
        """Whether it takes messages now."""
        return self._spool is not None

    def open(self, now: float) -> int | None:
        """Open it if it is due; return the highest id in it if it has just been opened."""
        if self._open_spool is None or self._spool is not None or now < self.due:
            return None
        self._noted = 0
        try:
            self._spool = self._open_spool()
        except SpoolError as error:
            self._fail(error)
            return None
        last = self._do(lambda spool: spool.last)
        if last is not None and self._failed:
            logger.info("messages wait on the disk again")
            self._failed = False
        return last

    def append(self, messages: Sequence[Waiting]) -> list[tuple[int, str]] | None:
        """As :meth:`Spool.append`; None when nothing was kept."""
        return self._do(lambda spool: spool.append(messages))

    def remove(self, ids: Sequence[int]) -> bool:
        """As :meth:`Spool.remove`; False when they are still there, as on a full disk, which can be read."""
        if self._spool is None:
            return False
        try:
            self._spool.remove(ids)
        except SpoolError as error:
            if not self._note_damage(self._spool):
                logger.debug("%s", error)
            return False
        return True

    def after(self, last: int, count: int) -> tuple[list[Waiting], list[int]] | None:
        """As :meth:`Spool.after`; None when the disk does not give them."""
        return self._do(lambda spool: spool.after(last, count))

    def state(self) -> SpoolState:
        """The spool now."""
        size = self._do(lambda spool: spool.size)
        if self._spool is None or size is None:
            return SpoolState(damaged=self._damaged, written=bytes_written())
        self._note_damage(self._spool)
        return SpoolState(True, self._spool.waiting, size, self._damaged, bytes_written())

    def close(self) -> None:
        """Close it for good."""
        if self._spool is not None:
            self._spool.close()

    def _do(self, action: Callable[[Spool], T]) -> T | None:
        if self._spool is None:
            return None
        try:
            return action(self._spool)
        except SpoolError as error:
            if not self._note_damage(self._spool):
                self._fail(error)
            return None

    def _note_damage(self, spool: Spool) -> bool:
        """Count what was put aside; True if it has just happened, so that the spool is new and works."""
        news, self._noted = spool.damaged - self._noted, spool.damaged
        self._damaged += news
        return news > 0

    def _fail(self, error: SpoolError) -> None:
        if not self._failed:
            logger.error("%s; messages wait in memory until the disk takes them", error)
        self._failed = True
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self.due = time.monotonic() + RETRY_S
