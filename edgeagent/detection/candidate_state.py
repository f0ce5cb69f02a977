"""Candidate that serves or stands by, with the time of its next try."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgeagent.detection.candidates import Candidate
from edgeagent.timing.backoff import Backoff


@dataclass
class CandidateState:
    """A candidate and when it may be tried again.

    Attributes:
        candidate: an artefact on a delegate.
        load_s: seconds that it took to load in its trial.
        first_s, longest_s: shortest and longest pause between two tries, in seconds.
        retry_at: monotonic time in seconds before which it is not tried.
        served_at: monotonic time in seconds at which it last began to serve; 0 if it never did.
    """

    candidate: Candidate
    load_s: float
    first_s: float
    longest_s: float
    retry_at: float = 0.0
    served_at: float = 0.0

    def __post_init__(self) -> None:
        """Start with the shortest pause."""
        self._backoff = Backoff(self.first_s, self.longest_s, jitter=0.0)

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self.retry_at <= time.monotonic()

    def begin_serving(self) -> None:
        """Record that it serves from now on."""
        self.retry_at, self.served_at = 0.0, time.monotonic()

    def postpone(self) -> None:
        """Set the time of the next try: the pause doubles with each failure.

        After it has served longer than ``longest_s``, the pause starts from ``first_s`` again.
        """
        now = time.monotonic()
        if self.served_at and now - self.served_at > self.longest_s:
            self._backoff.reset()
        self.retry_at = now + self._backoff.next()
