from __future__ import annotations

from edgeagent.timing.schedule import next_due


def test_a_late_run_keeps_the_times_and_what_was_missed_is_left_out() -> None:
    assert next_due(10.0, 2.0, 10.0) == 12.0
    assert next_due(10.0, 2.0, 11.9) == 12.0
    assert next_due(10.0, 2.0, 12.0) == 14.0
    assert next_due(10.0, 2.0, 3609.0) == 3610.0
    assert next_due(10.0, 2.0, 9.0) == 12.0
