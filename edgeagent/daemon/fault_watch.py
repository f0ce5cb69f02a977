"""Watch of the faults of all threads: the alarm ``internal_error``, and the end of the agent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.errors import EdgeagentError
from edgeagent.timing.guarded_thread import STEADY_S, Fault, describe, subscribe

NETWORK = "paho-mqtt-client-edgeagent"
"""Start of the names of the network threads; paho does not start one again that an exception has ended."""


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
        self._hook = threading.excepthook
        self.fatal: Fault | None = None

    def start(self) -> None:
        """Receive faults from now on."""
        self._unsubscribe, self._hook = subscribe(self._record), threading.excepthook
        threading.excepthook = self._thread_ended

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Receive no more faults."""
        self._unsubscribe()
        threading.excepthook = self._hook

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
                f"{self.fatal.thread} failed and has ended for good ({self.fatal.text}); "
                "the agent ends, to be started again; see the log"
            )

    def _thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        """Record the end of a network thread; other threads without a guard are not of the agent."""
        self._hook(ended)
        if ended.thread is not None and ended.thread.name.startswith(NETWORK):
            error = ended.exc_value or ended.exc_type()
            self._record(Fault(ended.thread.name, describe(error), fatal=True))

    def _record(self, fault: Fault) -> None:
        self._last_s = time.monotonic()
        if fault.fatal:
            self.fatal = self.fatal or fault
            self._on_fatal()
        done = "has ended for good" if fault.fatal else "was started again"
        self._on_change(f"{fault.thread} failed and {done}: {fault.text}")
