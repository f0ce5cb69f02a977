"""Storing a batch: until it is stored, with what the store refuses by itself as dead letters."""

from __future__ import annotations

import logging
import threading
from typing import Any

from edgeagent.fleet.ingest.batch import DEAD_LETTERS, MessageBatch, refused_row
from edgeagent.fleet.store.protocol import FleetStore, StoreError
from edgeagent.timing.backoff import Backoff

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 0.5, 15.0


class BatchStoring:
    """Writer of batches.

    Args:
        store: of the fleet.
        stopping: set when the process ends; a batch that cannot be stored is then given up, unacknowledged.

    Attributes:
        failing: reason why nothing can be stored; None while all is well.
    """

    def __init__(self, store: FleetStore, stopping: threading.Event) -> None:
        self._store, self._stopping = store, stopping
        self.failing: str | None = None

    def store(self, batch: MessageBatch) -> bool:
        """Store all rows of a batch; return False when the process ends before that was possible."""
        pauses = Backoff(FIRST_S, LONGEST_S)
        waiting = dict(batch.rows)
        while waiting:
            try:
                for table in list(waiting):
                    self._insert(table, waiting[table])
                    del waiting[table]
            except StoreError as error:
                if self.failing is None:
                    logger.error(
                        "%s; none is acknowledged, and the broker keeps them, until the store takes them",
                        error,
                    )
                self.failing = str(error)
                if self._stopping.wait(pauses.next()):
                    return False
        if self.failing is not None:
            logger.warning("the store takes messages again")
            self.failing = None
        return True

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        try:
            self._store.insert(table, rows)
        except StoreError as error:
            if not error.of_the_rows or table == DEAD_LETTERS:
                raise
            if len(rows) > 1:
                middle = len(rows) // 2
                self._insert(table, rows[:middle])
                self._insert(table, rows[middle:])
                return
            logger.error("%s: a row of device %s is refused (%s)", table, rows[0]["device"], error)
            self._store.insert(DEAD_LETTERS, [refused_row(table, rows[0], str(error))])
