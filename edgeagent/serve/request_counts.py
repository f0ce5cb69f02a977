"""What became of the requests of a protocol, for the log line at the end."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from edgeagent.timing.histogram import Histogram

Outcome = Literal["answered", "refused", "not now", "handshakes"]
"""``refused``: malformed, or not the input of the bundle; ``not now``: too many waited, no engine served."""
OUTCOMES: tuple[Outcome, ...] = ("answered", "refused", "not now", "handshakes")


class RequestCounts:
    """Counts by outcome, and the time from arrival to answer. One thread records.

    Args:
        protocol: name for the line.
    """

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        self._outcomes: Counter[Outcome] = Counter()
        self._times = Histogram()

    def __getitem__(self, outcome: Outcome) -> int:
        return self._outcomes[outcome]

    def record(self, outcome: Outcome, took_ns: int | None = None) -> None:
        """Count a request.

        Args:
            outcome: what became of it.
            took_ns: nanoseconds from arrival to answer, of one with detections.
        """
        self._outcomes[outcome] += 1
        if took_ns is not None:
            self._times.record(took_ns)

    def line(self) -> str:
        """Return the counts as text; a percentile of too few requests is left out."""
        counts = ", ".join(f"{self._outcomes[one]} {one}" for one in OUTCOMES if self._outcomes[one])
        found = self._times.percentiles()
        times = {"p50": found.p50, "p90": found.p90, "p99": found.p99}
        known = ", ".join(f"{name} {value:.2f} ms" for name, value in times.items() if value is not None)
        return f"{self.protocol}: {counts or 'no requests'}" + (f"; {known}" if known else "")
