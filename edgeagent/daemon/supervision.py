"""Loop of the thread that runs the agent: waits for the end, and acts at each interval until then."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from edgeagent.timing.progress import Progress
from edgeagent.timing.schedule import next_due

STEP_S = 5.0  # longest wait between two steps that the watchdog sees


class Supervision:
    """Loop that ends when it is asked to, from any thread and from a signal handler.

    Args:
        interval_s: returns seconds between two reports; it may change.
        progress: of the calling thread.
    """

    def __init__(self, interval_s: Callable[[], float], progress: Progress) -> None:
        self._interval_s, self._progress = interval_s, progress
        self._over: SimpleQueue[None] = SimpleQueue()

    def request_end(self) -> None:
        """Make :meth:`run` and :meth:`wait` return."""
        self._over.put(None)  # a SimpleQueue, unlike an event, is safe in a signal handler of its own waiter

    def wait(self, timeout_s: float) -> bool:
        """Wait for the request to end; return False after ``timeout_s`` seconds."""
        try:
            self._over.get(timeout=timeout_s)
        except Empty:
            return False
        self._over.put(None)  # every later call returns at once
        return True

    def run(self, report: Callable[[], bool]) -> None:
        """Call ``report`` at each interval, until it returns true or the end is requested."""
        interval = self._interval_s()
        due = time.monotonic() + interval
        while True:
            if interval != self._interval_s():
                interval = self._interval_s()
                due = time.monotonic() + interval
            wait_s = min(STEP_S, max(0.0, due - time.monotonic()))
            self._progress.expect(wait_s, "waiting for the next report")
            if self.wait(wait_s):
                return
            if time.monotonic() >= due:
                self._progress.expect(0.0, "reporting")
                if report():
                    return
                due = next_due(due, interval, time.monotonic())
