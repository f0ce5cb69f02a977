"""How long a device tries: time limits, speed, and attempts with back-off inside one fetch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from edgeagent.delivery.errors import CancelledError, UnreachableError
from edgeagent.timing.backoff import Backoff

T = TypeVar("T")
_SLICE_S = 0.1


@dataclass(frozen=True)
class TransferLimits:
    """Limits of a fetch; the defaults suit a slow cellular link.

    Attributes:
        connect_s: until a connection stands.
        silence_s: between two pieces; also until the head of an answer is complete.
        slowest: bytes per second at least,
        over_s: over this many seconds.
        attempts: in a row that bring next to nothing.
        first_s, longest_s: back-off between attempts.
        asked_s: that a server may ask to wait (``Retry-After``); when it asks for more, the fetch ends.
    """

    connect_s: float = 20.0
    silence_s: float = 30.0
    slowest: float = 500.0
    over_s: float = 60.0
    attempts: int = 4
    first_s: float = 1.0
    longest_s: float = 30.0
    asked_s: float = 120.0


def never() -> bool:
    """Return false: nobody cancels."""
    return False


def wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Let ``seconds`` pass.

    Raises:
        CancelledError: at once when ``cancelled`` says so.
    """
    end = time.monotonic() + seconds
    while not cancelled():
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _SLICE_S))
    raise CancelledError("the download was cancelled")


def retried(
    attempt: Callable[[], T],
    patience: TransferLimits,
    cancelled: Callable[[], bool] = never,
    come: Callable[[], int] = lambda: 0,
) -> T:
    """Return what ``attempt`` returns, the first time that it does.

    Args:
        attempt: tried again after an :class:`UnreachableError` where that makes sense.
        patience: how often, and how long in between.
        cancelled: asked while waiting.
        come: bytes that are there; an attempt that brought some is not counted.

    Raises:
        UnreachableError: the last one.
        CancelledError: while waiting.
    """
    backoff = Backoff(patience.first_s, patience.longest_s)
    left = patience.attempts
    while True:
        before = come()
        try:
            return attempt()
        except UnreachableError as error:
            if come() - before >= patience.slowest * patience.over_s:
                left = patience.attempts
                backoff.reset()
            left -= 1
            asked = error.after_s or 0.0
            if not error.again or left <= 0 or asked > patience.asked_s:
                raise
            wait(max(backoff.next(), asked), cancelled)
