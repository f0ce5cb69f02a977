"""Recent agreement: when it is low, and when that is over."""

from __future__ import annotations

import pytest

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.agreement_window import LEAST_PICTURES, WINDOW, AgreementWindow

SAME, OTHER, EMPTY = Agreement(1, 2, 4), Agreement(1, 0, 4), Agreement(1, 0, 0)


def record(window: AgreementWindow, *pictures: Agreement) -> list[bool]:
    """Return the judgement after each picture."""
    judged = []
    for one in pictures:
        window.record(one)
        judged.append(window.recent().low)
    return judged


def test_a_low_agreement_needs_enough_pictures_with_boxes() -> None:
    window = AgreementWindow(0.5)
    assert not any(record(window, *[EMPTY] * 1000, *[OTHER] * (LEAST_PICTURES - 1)))
    assert record(window, OTHER) == [True]
    recent = window.recent()
    assert recent.agreement == Agreement(LEAST_PICTURES, 0, 4 * LEAST_PICTURES)
    assert recent.interval is not None
    low, high = recent.interval
    assert low == 0.0
    assert high == pytest.approx(0.0713, abs=1e-4)


def test_the_window_forgets_so_that_a_late_change_is_found() -> None:
    window = AgreementWindow(0.5)
    assert not any(record(window, *[SAME] * 2 * WINDOW))
    judged = record(window, *[OTHER] * WINDOW)
    assert judged.index(True) < 0.6 * WINDOW
    assert window.recent().agreement.pictures == WINDOW
    judged = record(window, *[SAME] * WINDOW)
    assert judged.index(False) < 0.6 * WINDOW
    assert judged == sorted(judged, reverse=True), "it is over once"


def test_an_agreement_at_the_limit_changes_nothing() -> None:
    for begin, low in ((SAME, False), (OTHER, True)):
        window = AgreementWindow(0.5)
        assert record(window, *[begin] * LEAST_PICTURES)[-1] == low
        half = [SAME, OTHER] * WINDOW
        assert set(record(window, *half)[: 2 * LEAST_PICTURES]) == {low}
        assert window.recent().low == low


def test_without_a_limit_nothing_is_low() -> None:
    window = AgreementWindow(None)
    assert not any(record(window, *[OTHER] * WINDOW))


def test_an_empty_window_has_no_interval() -> None:
    assert AgreementWindow(0.5).recent().interval is None
