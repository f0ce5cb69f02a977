"""A candidate that serves or stands by, and when it may be tried again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgeagent.detection.candidates import Candidate


@dataclass
class CandidateState:
    """A candidate and how it fares.

    Attributes:
        candidate: an artefact on a delegate.
        load_s: seconds that it took to load when it was tried.
        first_s, longest_s: least and greatest pause between two tries.
        retry_at: monotonic time before which it is left alone.
        served_at: monotonic time at which it began to serve last; 0 before.
    """

    candidate: Candidate
    load_s: float
    first_s: float
    longest_s: float
    retry_at: float = 0.0
    served_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin with the shortest pause."""
        self._wait_s = self.first_s

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self.retry_at <= time.monotonic()

    def serves(self) -> None:
        """Note that it serves now."""
        self.retry_at, self.served_at = 0.0, time.monotonic()

    def put_back(self) -> None:
        """Leave it alone, longer each time; one that served for long starts from the shortest pause."""
        now = time.monotonic()
        if self.served_at and now - self.served_at > self.longest_s:
            self._wait_s = self.first_s
        self.retry_at = now + self._wait_s
        self._wait_s = min(self._wait_s * 2, self.longest_s)
