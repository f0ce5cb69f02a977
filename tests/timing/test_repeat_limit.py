"""Repetitions of a fault in the log."""

from __future__ import annotations

import itertools

from edgeagent.timing.repeat_limit import FIRST_S, LONGEST_S, MOST_TEXTS, RepeatLimit


def told(limit: RepeatLimit, text: str, until_s: float, every_s: float = 10.0) -> list[float]:
    """Return when a text that comes every few seconds is told."""
    times = [every_s * number for number in range(int(until_s / every_s))]
    return [now_s for now_s in times if limit.allows(text, now_s)]


def test_a_text_is_told_at_once_and_then_after_growing_pauses() -> None:
    assert told(RepeatLimit(), "lost", 10 * FIRST_S) == [0.0, FIRST_S, 3 * FIRST_S, 7 * FIRST_S]


def test_the_pauses_have_a_limit() -> None:
    times = told(RepeatLimit(), "lost", 10 * LONGEST_S, 60.0)
    assert max(after - before for before, after in itertools.pairwise(times)) <= LONGEST_S + 60.0


def test_another_text_is_told_at_once() -> None:
    limit = RepeatLimit()
    assert [limit.allows(text, 0.0) for text in ("refused", "refused", "unknown host")] == [True, False, True]


def test_texts_that_are_always_new_are_limited() -> None:
    limit = RepeatLimit()
    found = [limit.allows(f"no frame for {number} s", float(number)) for number in range(100)]
    assert sum(found) == MOST_TEXTS + 1


def test_after_a_time_without_a_fault_it_is_told_again() -> None:
    limit = RepeatLimit()
    assert limit.allows("lost", 0.0)
    limit.worked(5.0)
    assert not limit.allows("lost", 10.0)
    limit.worked(FIRST_S)
    assert limit.allows("lost", 20.0)
