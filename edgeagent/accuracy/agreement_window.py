"""Agreement of two models on recent pictures, and the judgement whether it is low.

The window is the last :data:`WINDOW` pictures with boxes; a picture without boxes tells nothing. Agreement
becomes low when the whole interval of the share of matched boxes is below the limit, and is over when the
whole interval is above it: in between nothing changes, so that the state does not flap. The interval is that
of a proportion of as many samples as there are pictures, as the boxes of one picture are not independent of
each other.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.proportion import wilson_interval

WINDOW = 500
"""Pictures with boxes."""
LEAST_PICTURES = 50
"""Least number of pictures with boxes of a judgement."""


@dataclass(frozen=True, slots=True)
class RecentAgreement:
    """Agreement of the window.

    Attributes:
        agreement: counts of the pictures with boxes.
        interval: bounds of the share of matched boxes, 0..1; None without pictures.
        low: whether the agreement is low.
    """

    agreement: Agreement
    interval: tuple[float, float] | None
    low: bool


class AgreementWindow:
    """Window of recent agreement; thread-safe.

    Args:
        limit: share of matched boxes below which the agreement is low, 0..1; None judges nothing.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._pictures: deque[Agreement] = deque(maxlen=WINDOW)
        self._low = False
        self._lock = threading.Lock()

    def record(self, one: Agreement) -> None:
        """Add the agreement on one picture, and judge the window."""
        if one.boxes == 0:
            return
        with self._lock:
            self._pictures.append(one)
            interval = _interval(self._sum())
            if self._limit is None or interval is None or len(self._pictures) < LEAST_PICTURES:
                return
            low, high = interval
            if high < self._limit:
                self._low = True
            elif low > self._limit:
                self._low = False

    def recent(self) -> RecentAgreement:
        """Return the agreement of the window."""
        with self._lock:
            found = self._sum()
            return RecentAgreement(found, _interval(found), self._low)

    def _sum(self) -> Agreement:
        return sum(self._pictures, Agreement())


def _interval(found: Agreement) -> tuple[float, float] | None:
    if found.share is None:
        return None
    return wilson_interval(round(found.share * found.pictures), found.pictures)
