"""Computation of the derived tables from what was inserted since the last time.

Each step asks which devices and minutes new messages touch, computes those rows from all their messages anew,
and inserts them; they replace the rows before. So a message that arrives twice, or a step that is run twice,
changes nothing, and a message that arrives late corrects the minute to which it belongs::

    messages -> minutes -> hours -> days            the rows of one step are made from those before
                             +-> models by hour     every MODELS_S
    messages -> sequences, problems, devices

Steps overlap by OVERLAP, as an insertion is visible only after the time that its rows carry; every SWEEP_S,
and at the start, by SWEEP. Rows of a model that a minute no longer has are set to 0 messages.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta, timezone

from edgeagent.fleet.store import derived_statements as statements
from edgeagent.fleet.store.protocol import FleetStore, StoreError
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

PAUSE_S, LONGEST_PAUSE_S, SHARE = 5.0, 30.0, 4
"""A pause is SHARE times as long as the step before it took, within these bounds in seconds."""
MODELS_S, SWEEP_S = 60.0, 3600.0
OVERLAP, SWEEP = timedelta(seconds=20), timedelta(hours=2)
_EPOCH = datetime(1970, 1, 2, tzinfo=timezone.utc)


class Derivation:
    """Computation of the derived tables.

    Args:
        store: of the fleet.
    """

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._swept: float | None = None
        self._models_done: float | None = None
        self._stopping = threading.Event()
        self._thread = GuardedThread(self._run, "derivation")

    def start(self) -> None:
        """Compute again and again in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the step that it is in."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self, now: float | None = None, *, models: bool | None = None) -> None:
        """Compute what messages have touched since the last step.

        Args:
            now: monotonic seconds; None for those of the clock.
            models: whether the tables of models are computed; None: once they are MODELS_S old.

        Raises:
            StoreError: the store fails; the next step does it all.
        """
        now = time.monotonic() if now is None else now
        begun = self._clock()
        upto = self._progress("all")
        sweep = self._swept is None or now - self._swept >= SWEEP_S
        since = max(_EPOCH, upto - (SWEEP if sweep else OVERLAP))
        given = {"since": since, "begun": begun}
        for statement in statements.TOUCHED:
            self._store.execute(statement, given)
        if models is None:
            models = self._models_done is None or now - self._models_done >= MODELS_S
        if models:
            for statement in statements.MODELS:
                self._store.execute(statement, {"since": max(_EPOCH, self._progress("models") - OVERLAP)})
            self._store.insert("derivation_progress", [{"name": "models", "upto": begun}])
            self._models_done = now
        self._store.insert("derivation_progress", [{"name": "all", "upto": begun}])
        if sweep:
            self._swept = now

    def _progress(self, name: str) -> datetime:
        sql = "SELECT max(upto) FROM derivation_progress WHERE name = {name:String}"
        return _time(self._store.query(sql, {"name": name}).rows[0][0])

    def _clock(self) -> datetime:
        return _time(self._store.query("SELECT now64(3, 'UTC')").rows[0][0])

    def _run(self) -> None:
        failing = False
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.step()
                if failing:
                    logger.warning("the derived tables are computed again")
                failing = False
            except StoreError as error:
                if not failing:
                    logger.error("the derived tables are not up to date: %s", error)
                failing = True
            taken = time.monotonic() - began
            self._stopping.wait(min(max(PAUSE_S, SHARE * taken), LONGEST_PAUSE_S))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
