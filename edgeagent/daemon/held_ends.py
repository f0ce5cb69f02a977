"""Ends of objects that are told once their clips are written, and at the latest after some time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.events.object_life import ObjectEvent
from edgeagent.events.stored_files import StoredFiles


@dataclass(frozen=True, slots=True)
class HeldEnd:
    """End of an object.

    Attributes:
        event: that is told later.
        stored: files that the object has already.
        due_s: monotonic time at which it is told without a clip.
    """

    event: ObjectEvent
    stored: StoredFiles
    due_s: float


class HeldEnds:
    """Ends that are held; its owner holds a lock.

    Args:
        clock: returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, HeldEnd] = {}

    def hold(self, event: ObjectEvent, stored: StoredFiles, longest_s: float) -> None:
        """Hold an end for ``longest_s`` seconds at most."""
        self._held[event.id] = HeldEnd(event, stored, self._clock() + longest_s)

    def take(self, object_id: str) -> HeldEnd | None:
        """Return the end of an object, which is no longer held; None where it is not."""
        return self._held.pop(object_id, None)

    def late(self) -> list[HeldEnd]:
        """Return the ends that are due, which are no longer held."""
        if not self._held:
            return []
        now_s = self._clock()
        due = [object_id for object_id, held in self._held.items() if held.due_s <= now_s]
        return [self._held.pop(object_id) for object_id in due]

    def all(self) -> list[HeldEnd]:
        """Return all ends, which are no longer held."""
        held, self._held = list(self._held.values()), {}
        return held
