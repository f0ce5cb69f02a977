"""Thread of a part of the agent that survives an exception nobody expected.

::

    running --the part returns----------------> ended
    running --exception--> fault --pause------> running (the part again; pauses double up to LONGEST_S)
                             |
                             +--the fault of a vital part, more than MOST_IN_A_ROW in a row--> ended

Expected errors are typed and handled by the part itself. A fault is logged with its traceback and passed to
all who have subscribed: the agent raises an alarm, and ends after a fatal fault, so that systemd starts it
again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.timing.backoff import Backoff

logger = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 1.0, 60.0
MOST_IN_A_ROW = 5
STEADY_S = 120.0
"""A part that ran so long without a fault starts with the first pause again."""


@dataclass(frozen=True)
class Fault:
    """An exception that a part did not expect.

    Attributes:
        thread: name of its thread.
        text: type and message of the exception.
        fatal: whether the part has ended for good, and cannot be spared.
    """

    thread: str
    text: str
    fatal: bool


OnFault = Callable[[Fault], None]
_subscribers: list[OnFault] = []


def subscribe(on_fault: OnFault) -> Callable[[], None]:
    """Have ``on_fault`` called with every fault of this process, in the thread of the part.

    Returns:
        Function that ends the subscription.
    """
    _subscribers.append(on_fault)

    def end() -> None:
        if on_fault in _subscribers:
            _subscribers.remove(on_fault)

    return end


class GuardedThread(threading.Thread):
    """Daemon thread of a part, which is run again after a fault.

    Args:
        part: runs until the part is stopped; it must be able to run again after an exception.
        name: of the thread.
        vital: whether the agent is of no use without the part.
    """

    def __init__(self, part: Callable[[], None], name: str, vital: bool = False) -> None:
        super().__init__(name=name, daemon=True)
        self._part, self._vital = part, vital

    def run(self) -> None:
        """Run the part until it returns, or until its faults are fatal."""
        try:
            self._run_part()
        finally:
            self._part = _nothing  # a part that knows its thread would wait for the collector of cycles

    def _run_part(self) -> None:
        pauses, in_a_row = Backoff(FIRST_S, LONGEST_S, jitter=0.0), 0
        while True:
            began = time.monotonic()
            try:
                self._part()
                return
            except Exception as error:
                logger.exception("%s failed; report this as a bug of edgeagent", self.name)
                text = describe(error)
            if time.monotonic() - began > STEADY_S:
                pauses.reset()
                in_a_row = 0
            in_a_row += 1
            fatal = self._vital and in_a_row > MOST_IN_A_ROW
            report_fault(Fault(self.name, text, fatal))
            if fatal:
                return
            time.sleep(pauses.next())


def _nothing() -> None:
    """Do nothing."""


def describe(error: BaseException) -> str:
    """Return type and message of an exception that nobody expected."""
    return f"{type(error).__name__}: {error}"


def report_fault(fault: Fault) -> None:
    """Pass a fault to all who have subscribed."""
    for on_fault in tuple(_subscribers):
        try:
            on_fault(fault)
        except Exception:
            logger.exception("the fault of %s cannot be reported", fault.thread)
