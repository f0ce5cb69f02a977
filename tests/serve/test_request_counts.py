"""The line at the end: counts by outcome, and percentiles of enough requests."""

from __future__ import annotations

from edgeagent.serve.request_counts import RequestCounts


def test_nothing_was_asked() -> None:
    assert RequestCounts("KServe").line() == "KServe: no requests"


def test_counts_and_times() -> None:
    counts = RequestCounts("Frigate")
    for _ in range(100):
        counts.record("answered", 10_000_000)
    counts.record("refused")
    counts.record("handshakes")
    assert counts["answered"] == 100
    line = counts.line()
    assert line.startswith("Frigate: 100 answered, 1 refused, 1 handshakes; p50 ")
    assert "p90" in line
    assert "p99" not in line  # of 662 and more
