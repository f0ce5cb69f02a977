"""Event log: decisions of the device and observed changes, each published once, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeagent.sensors.board import read_board
from edgeagent.telemetry.contract.messages import Event, EventKind
from edgeagent.timing.utc import utc_time


class EventLog:
    """Numbers and publishes events; thread-safe.

    Args:
        run: number of this start of the agent, None where it is unknown.
        publish: called with topic and payload, in the order of ``sequence``.
    """

    def __init__(self, run: int | None, publish: Callable[[str, bytes], None]) -> None:
        self._run, self._publish = run, publish
        self._boot_id = read_board().boot_id
        self._sequence = 0
        self._lock = threading.Lock()

    def record(self, kind: EventKind, text: str, **data: str | int | float | bool) -> None:
        """Publish an event: ``text`` for people, ``data`` for programs."""
        with self._lock:
            self._sequence += 1
            event = Event(
                time=utc_time(time.time()),
                boot_id=self._boot_id,
                run=self._run,
                sequence=self._sequence,
                kind=kind,
                text=text,
                data=data or None,
            )
            self._publish(f"events/{kind}", event.payload())
