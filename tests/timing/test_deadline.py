"""Waits that share one deadline."""

from __future__ import annotations

import pytest

from edgeagent.timing.deadline import Deadline


def test_waits_share_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr("edgeagent.timing.deadline.time.monotonic", lambda: now_s)
    all_waits = Deadline(2.5)
    assert all_waits.left_s == 2.5
    assert all_waits.share_s(0.75) == 0.75
    now_s += 1.5
    assert all_waits.left_s == 1.0
    assert all_waits.share_s(0.75, keep_s=0.5) == 0.5
    now_s += 2.0
    assert all_waits.left_s == all_waits.share_s(0.75) == 0.0
