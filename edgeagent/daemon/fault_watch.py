"""Watch of the faults of all threads: the alarm ``internal_error``, and the end of the agent."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.errors import EdgeagentError
from edgeagent.timing.guarded_thread import STEADY_S, Fault, subscribe


class FaultWatch(AgentPart):
    """Watch of the faults of all threads of this process.

    Args:
        on_change: called with a description when a part has failed, and with None when the alarm is over.
        on_fatal: called when a part has ended for good that the agent cannot do without.

    Attributes:
        fatal: the fault that ends the agent; None while there is none.
    """

    def __init__(self, on_change: Callable[[str | None], None], on_fatal: Callable[[], None]) -> None:
        self._on_change, self._on_fatal = on_change, on_fatal
        self._last_s: float | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self.fatal: Fault | None = None

    def start(self) -> None:
        """Receive faults from now on."""
        self._unsubscribe = subscribe(self._record)

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Receive no more faults."""
        self._unsubscribe()

    def check(self) -> None:
        """End the alarm when the last fault was more than :data:`STEADY_S` seconds ago."""
        if self._last_s is not None and time.monotonic() - self._last_s > STEADY_S:
            self._last_s = None
            self._on_change(None)

    def raise_fatal(self) -> None:
        """Raise the fault that ended the agent, if there was one.

        Raises:
            EdgeagentError: a part cannot go on.
        """
        if self.fatal is not None:
            raise EdgeagentError(
                f"{self.fatal.thread} failed several times in a row ({self.fatal.text}); "
                "the agent ends, to be started again; see the log"
            )

    def _record(self, fault: Fault) -> None:
        self._last_s = time.monotonic()
        if fault.fatal:
            self.fatal = self.fatal or fault
            self._on_fatal()
        done = "has ended for good" if fault.fatal else "was started again"
        self._on_change(f"{fault.thread} failed and {done}: {fault.text}")
