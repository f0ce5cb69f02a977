"""Frames held back from the engine for a moment, so that what is timed meanwhile is not disturbed.

A hold ends by itself after its limit: whoever holds and hangs stops no frame for longer than that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class FrameHold:
    """Gate before the engine; one thread holds, any thread waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._until_s = 0.0

    @contextmanager
    def hold(self, longest_s: float) -> Iterator[None]:
        """Let no frame begin inside; those that have begun go on."""
        with self._changed:
            self._until_s = time.monotonic() + longest_s
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Let frames pass."""
        with self._changed:
            self._until_s = 0.0
            self._changed.notify_all()

    def wait(self) -> None:
        """Return once frames may pass."""
        while self._until_s and (left_s := self._until_s - time.monotonic()) > 0:
            with self._changed:
                self._changed.wait(left_s)
