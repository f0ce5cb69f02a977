"""Watchdog of the agent: systemd is fed while all parts make progress, or wait for something they name.

::

    supervision, inference, engine, cameras, messages --samples, every LOOK_S--> StallCheck
        none has stalled  ->  WATCHDOG=1
        one has stalled   ->  an error in the log, and no WATCHDOG=1: systemd ends and restarts the agent
    STATUS=... at every look and change, where the text has changed

A camera that is lost, an engine that starts and a broker that is away are no stalls: their threads go on. The
margin is ``WatchdogSec`` of the unit, 60 s. A machine under load gives each thread a turn far more often, and
a look that comes late does not count as time in which others stood still
(:class:`edgeagent.timing.progress.StallCheck`). The samples take the locks of the parts: a deadlock stops
this thread as well, and so the feeding.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.systemd import has_manager, notify, watchdog_s
from edgeagent.files.naming import escape_controls, shortened
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.timing.progress import ProgressSample, StallCheck

logger = logging.getLogger(__name__)

LOOK_S = 5.0
"""Longest interval between two looks; a shorter watchdog is fed four times in its time."""
MAX_STATUS = 1000
"""Characters of a status; the text of an engine's failure may be longer."""

Samples = Callable[[], Sequence[ProgressSample]]


class Watchdog(AgentPart):
    """Thread that looks at the progress of all parts; does nothing where no service manager is.

    Args:
        describe: returns the text of ``STATUS``.

    Attributes:
        stalled: names of the parts that have stalled, as of the last look.
        starts_again: returns whether the process goes on after :meth:`stop`, with a new start of the agent.
    """

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._fed_every_s = watchdog_s()
        self._look_s = LOOK_S if self._fed_every_s is None else min(LOOK_S, self._fed_every_s / 4)
        self._check = StallCheck(self._fed_every_s or float("inf"), 2 * self._look_s)
        self._groups: list[Samples] = []
        self._wake, self._stopping = threading.Event(), False
        self._thread = GuardedThread(self._run, "watchdog")
        self._status: str | None = None
        self.stalled: tuple[str, ...] = ()
        self.starts_again: Callable[[], bool] = lambda: False

    def watch(self, samples: Samples) -> None:
        """Watch a group of parts from now on; it has stalled when all that it samples have.

        Args:
            samples: returns what the parts have announced; called in the thread of the watchdog.
        """
        self._groups = [*self._groups, samples]

    def start(self) -> None:
        """Look and notify from now on."""
        if has_manager():
            self._thread.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Notify that the agent stops, and look no more."""
        self._stopping = True
        self._wake.set()
        if self.starts_again():  # systemd ends a service that says that it stops
            now_us = time.monotonic_ns() // 1000
            notify(f"RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=starting again with another configuration")
        else:
            notify("STOPPING=1\nSTATUS=stopping")
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def update(self) -> None:
        """Notify a change of the status now; never waits."""
        self._wake.set()

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            self._look(now - looked)
            looked = now
            self._notify_status()
            self._wake.wait(self._look_s)
            self._wake.clear()

    def _look(self, passed_s: float) -> None:
        stalled: list[str] = []
        for samples in self._groups:
            found = [(sample, self._check.stalled_s(sample, passed_s)) for sample in samples()]
            if found and all(seconds is not None for _, seconds in found):
                stalled += [
                    f"{sample.name}: {sample.doing}, for {seconds:.0f} s" for sample, seconds in found
                ]
        names = tuple(text.split(":")[0] for text in stalled)
        if stalled and names != self.stalled:
            logger.error("no progress of %s; the watchdog of systemd is not fed", "; ".join(stalled))
        elif self.stalled and not stalled:
            logger.warning("progress again; the watchdog of systemd is fed")
        self.stalled = names
        if self._fed_every_s is not None and not stalled:
            notify("WATCHDOG=1")

    def _notify_status(self) -> None:
        # a line break would begin another notification, and the text of an engine's failure may have some
        status = shortened(escape_controls(self._describe()), MAX_STATUS)
        if status != self._status and not self._stopping:
            self._status = status
            notify(f"STATUS={status}")
