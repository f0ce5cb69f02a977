"""Candidate that serves or stands by: time of its next try, and order in which candidates are started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from edgeagent.detection.candidates import Candidate
from edgeagent.detection.records import TrialVerdict
from edgeagent.timing.backoff import Backoff

QUICK_S, QUICK_FACTOR = 1.5, 2.0
"""A candidate that loads slower than these seconds, and than so many times the quickest other one, is not
restarted first after a crash: a busy machine loads all of them slowly."""


MOST_SIDE_BY_SIDE = 1
"""Failures after which the calls of a candidate are run one after the other: the engines that run calls side
by side are loaded while it serves, and that may be what fails, such as for lack of memory."""


@dataclass
class CandidateState:
    """A candidate and when it may be tried again.

    Attributes:
        candidate: an artefact on a delegate.
        pauses: between two tries; without jitter.
        steady_s: seconds of service after which the pauses start from the shortest again.
        load_s: seconds that it took to start; the least so far.
        usable: whether it started and processed a frame the last time, or was right in its trial.
        failures: number of failures since the pauses started from the shortest.
        retry_at: monotonic time in seconds before which it is not tried while another serves.
        served_at: monotonic time in seconds at which it last began to serve; 0 if it never did.
        judged: whether there is a verdict on it.
    """

    candidate: Candidate
    pauses: Backoff
    steady_s: float
    load_s: float = float("inf")
    usable: bool = True
    failures: int = 0
    retry_at: float = 0.0
    served_at: float = 0.0
    judged: bool = True

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self.retry_at <= time.monotonic()

    @property
    def alone(self) -> bool:
        """Whether its calls are to be run one after the other."""
        return self.failures > MOST_SIDE_BY_SIDE

    def judge(self, verdict: TrialVerdict) -> CandidateState:
        """Record the verdict of a trial, and return this; one that is not right is tried again later."""
        self.judged = True
        if verdict.load_s is not None:
            self.load_s = min(self.load_s, verdict.load_s)
        if not verdict.right and not self.failures:
            self.postpone(usable=False)
        return self

    def begin_serving(self, load_s: float) -> None:
        """Record that it serves from now on, after ``load_s`` seconds of starting."""
        self.retry_at, self.served_at = 0.0, time.monotonic()
        self.load_s = min(self.load_s, load_s)

    def postpone(self, usable: bool) -> None:
        """Record a failure and set the time of the next try: the pause doubles with each failure.

        Args:
            usable: whether it had started and processed a frame.
        """
        now = time.monotonic()
        if self.served_at and now - self.served_at > self.steady_s:
            self.pauses.reset()
            self.failures = 0
        self.failures += 1
        self.usable = usable
        self.retry_at = now + self.pauses.next()


def start_order(candidates: Sequence[CandidateState]) -> list[CandidateState]:
    """Return the candidates to be started while none has served yet, in order.

    The first choice comes first, unless another right one loads so much quicker that it serves meanwhile.
    Untried ones come last.

    Args:
        candidates: ranked, the first choice first.
    """
    due = [one for one in candidates if one.due]
    right = [one for one in due if one.judged and one.usable]
    quickest = min(right, key=lambda one: one.load_s, default=None)
    if quickest is None or right[0].load_s <= max(QUICK_S, QUICK_FACTOR * quickest.load_s):
        return due
    return [quickest, *(one for one in due if one is not quickest)]


def restart_order(
    candidates: Sequence[CandidateState], failed: CandidateState | None, crashed: bool
) -> list[CandidateState]:
    """Return the candidates to be started while none serves, in order.

    One that processed a frame the last time is started whether or not its pause is over, the quickest to
    load first. One that did not has to be due, and comes last.

    Args:
        candidates: ranked, the first choice first.
        failed: candidate that served; it comes after the other usable ones, or at once after its first crash.
        crashed: whether the worker of ``failed`` died, rather than hung or computed wrongly.
    """
    usable = sorted(
        (one for one in candidates if one.usable and one is not failed), key=lambda one: one.load_s
    )
    doubtful = [one for one in candidates if not one.usable and one is not failed and one.due]
    if failed is None:
        return usable + doubtful
    quick_s = max(QUICK_S, QUICK_FACTOR * min((one.load_s for one in usable), default=0.0))
    if crashed and failed.usable and failed.failures == 1 and failed.load_s <= quick_s:
        return [failed, *usable, *doubtful]
    return [*usable, failed, *doubtful]
