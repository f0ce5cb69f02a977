"""Spool that tolerates a failing disk: a failure is logged once and the spool is reopened later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edgeagent.files.disk_io import bytes_written
from edgeagent.telemetry.mqtt.spool import Spool, SpooledMessage, SpoolError

logger = logging.getLogger(__name__)

RETRY_S = 60.0  # before a failed spool is reopened

T = TypeVar("T")


@dataclass(frozen=True)
class SpoolState:
    """State of the spool at one moment.

    Attributes:
        on_disk: False while the disk fails and messages wait in memory.
        waiting: number of messages in the spool.
        size: bytes in use in its file.
        damaged: number of damaged files that were renamed.
        written: bytes that the process has written to the disk; None where the kernel does not report them.
    """

    on_disk: bool = False
    waiting: int = 0
    size: int = 0
    damaged: int = 0
    written: int | None = None


class FaultTolerantSpool:
    """Spool that may fail at any call. One thread uses it.

    Args:
        open_spool: opens the spool; None means no spool at all.
    """

    def __init__(self, open_spool: Callable[[], Spool] | None) -> None:
        self._open_spool = open_spool
        self._spool: Spool | None = None
        self._failed = False
        self._damaged = self._counted = 0
        self.due = 0.0 if open_spool else float("inf")
        """Monotonic time (s) of the next attempt to open the spool."""

    @property
    def usable(self) -> bool:
        """Whether the spool is open."""
        return self._spool is not None

    def open(self, now: float) -> int | None:
        """Open the spool when an attempt is due; return its highest ID if it has just been opened."""
        if self._open_spool is None or self._spool is not None or now < self.due:
            return None
        self._counted = 0
        try:
            self._spool = self._open_spool()
        except SpoolError as error:
            self._fail(error)
            return None
        last = self._call(lambda spool: spool.last)
        if last is not None and self._failed:
            logger.info("the spool is on the disk again")
            self._failed = False
        return last

    def append(self, messages: Sequence[SpooledMessage]) -> list[tuple[int, str]] | None:
        """As :meth:`Spool.append`; None where no message was stored."""
        return self._call(lambda spool: spool.append(messages))

    def remove(self, ids: Sequence[int]) -> bool:
        """As :meth:`Spool.remove`; False where the messages are still in the spool, as on a full disk."""
        if self._spool is None:
            return False
        try:
            self._spool.remove(ids)
        except SpoolError as error:
            if not self._count_damage(self._spool):
                logger.debug("%s", error)
            return False
        return True

    def after(self, last: int, count: int) -> tuple[list[SpooledMessage], list[int]] | None:
        """As :meth:`Spool.after`; None where the messages cannot be read."""
        return self._call(lambda spool: spool.after(last, count))

    def state(self) -> SpoolState:
        """Return the present state of the spool."""
        size = self._call(lambda spool: spool.size)
        if self._spool is None or size is None:
            return SpoolState(damaged=self._damaged, written=bytes_written())
        self._count_damage(self._spool)
        return SpoolState(True, self._spool.waiting, size, self._damaged, bytes_written())

    def close(self) -> None:
        """Close the spool for good."""
        if self._spool is not None:
            self._spool.close()

    def _call(self, action: Callable[[Spool], T]) -> T | None:
        if self._spool is None:
            return None
        try:
            return action(self._spool)
        except SpoolError as error:
            if not self._count_damage(self._spool):
                self._fail(error)
            return None

    def _count_damage(self, spool: Spool) -> bool:
        """Count damaged files; return whether one was just replaced, so that the spool is new and usable."""
        new, self._counted = spool.damaged - self._counted, spool.damaged
        self._damaged += new
        return new > 0

    def _fail(self, error: SpoolError) -> None:
        if not self._failed:
            logger.error("%s; messages wait in memory until the disk takes them", error)
        self._failed = True
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        self.due = time.monotonic() + RETRY_S
