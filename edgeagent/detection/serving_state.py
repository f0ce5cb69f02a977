"""State of what serves, as it is told to others, and the times of its supervision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ServingState = Literal["best", "fallback", "replacing", "not detecting", "stopped"]

RETRY_FIRST_S, RETRY_LONGEST_S = 5.0, 600.0
CHECK_EVERY_S = 300.0


@dataclass(frozen=True)
class Change:
    """What serves from now on.

    Attributes:
        serving: name of the candidate; None when none serves.
        best: whether it is the first choice.
        reason: of the change, as text.
        took_s: seconds without a detector.
        failure: why the detector that served before was given up; None where none was.
        damaged: why a file of the bundle may not be loaded any more; None while none is known to be damaged.
    """

    serving: str | None
    best: bool
    reason: str
    took_s: float = 0.0
    failure: str | None = None
    damaged: str | None = None


@dataclass(frozen=True)
class ServingIntervals:
    """Times of the supervision, in seconds.

    Attributes:
        check_every_s: between two golden checks of what serves.
        retry_first_s, retry_longest_s: shortest and longest pause before a candidate that failed is retried.
    """

    check_every_s: float = CHECK_EVERY_S
    retry_first_s: float = RETRY_FIRST_S
    retry_longest_s: float = RETRY_LONGEST_S
