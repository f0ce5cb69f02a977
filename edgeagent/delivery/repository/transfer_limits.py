"""Limits of a transfer: time-outs, minimum speed, and attempts with back-off inside one fetch."""

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
        connect_s: seconds until a connection is established.
        silence_s: seconds between two pieces, and until the head of a response is complete.
        slowest: minimum speed in bytes per second, averaged over ``over_s`` seconds.
        over_s: seconds of the average.
        attempts: failed attempts in a row, without progress, that end the fetch.
        first_s, longest_s: seconds of the back-off between attempts.
        asked_s: longest ``Retry-After`` that is waited for, seconds; a longer one ends the fetch.
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
    """Return False: the default for ``cancelled``."""
    return False


def wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Wait, and ask several times a second whether to cancel.

    Raises:
        CancelledError: ``cancelled`` returned True.
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
    limits: TransferLimits,
    cancelled: Callable[[], bool] = never,
    received: Callable[[], int] = lambda: 0,
) -> T:
    """Return the result of the first attempt that succeeds.

    Args:
        attempt: tried again after an :class:`UnreachableError` that allows it.
        limits: number of attempts and back-off.
        cancelled: asked while waiting.
        received: returns the bytes so far; an attempt with progress resets the count of attempts.

    Raises:
        UnreachableError: of the last attempt.
        CancelledError: cancelled while waiting.
    """
    backoff = Backoff(limits.first_s, limits.longest_s)
    left = limits.attempts
    while True:
        before = received()
        try:
            return attempt()
        except UnreachableError as error:
            if received() - before >= limits.slowest * limits.over_s:
                left = limits.attempts
                backoff.reset()
            left -= 1
            asked = error.after_s or 0.0
            if not error.again or left <= 0 or asked > limits.asked_s:
                raise
            wait(max(backoff.next(), asked), cancelled)
