"""Which candidate is started while none serves, and when one is tried again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from edgeagent.bundle.manifest import Artefact
from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.candidate_state import CandidateState, restart_order, start_order
from edgeagent.detection.candidates import Candidate
from edgeagent.detection.records import TrialVerdict
from edgeagent.engines.delegates import find_delegates
from edgeagent.timing.backoff import Backoff
from tests.included import QUICK_BUNDLE


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return open_bundle(QUICK_BUNDLE).manifest.artefacts[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    yield now


def state(artefact: Artefact, load_s: float) -> CandidateState:
    (delegate,) = find_delegates("onnxruntime-cpu")
    return CandidateState(Candidate(delegate, artefact), Backoff(5.0, 600.0, jitter=0.0), 600.0, load_s)


def test_the_quickest_to_load_comes_first_although_its_pause_is_not_over(
    artefact: Artefact, clock: list[float]
) -> None:
    slow, quick, quicker = (state(artefact, load_s) for load_s in (8.0, 0.8, 0.4))
    for one in (quick, quicker, slow):
        one.begin_serving(9.0)
        one.postpone(usable=True)
    assert not quicker.due
    assert restart_order([slow, quick, quicker], None, False) == [quicker, quick, slow]
    slow.postpone(usable=True)
    assert restart_order([slow, quick, quicker], slow, True) == [quicker, quick, slow]


def test_after_its_first_crash_the_last_good_one_is_started_at_once(
    artefact: Artefact, clock: list[float]
) -> None:
    first, other = state(artefact, 0.8), state(artefact, 0.4)
    first.begin_serving(0.8)
    first.postpone(usable=True)
    assert restart_order([first, other], first, crashed=True) == [first, other]
    assert restart_order([first, other], first, crashed=False) == [other, first]  # hung, or wrong
    first.begin_serving(0.8)
    first.postpone(usable=True)
    assert restart_order([first, other], first, crashed=True) == [other, first]
    first.begin_serving(0.8)
    clock[0] += 601
    first.postpone(usable=True)
    assert restart_order([first, other], first, crashed=True) == [first, other]


def test_a_slow_one_does_not_come_first_even_after_its_first_crash(
    artefact: Artefact, clock: list[float]
) -> None:
    slow, quick = state(artefact, 8.0), state(artefact, 0.4)
    slow.begin_serving(8.0)
    slow.postpone(usable=True)
    assert restart_order([slow, quick], slow, crashed=True) == [quick, slow]


def test_on_a_busy_machine_all_load_slowly(artefact: Artefact, clock: list[float]) -> None:
    first, other = state(artefact, 3.5), state(artefact, 2.0)
    first.begin_serving(3.5)
    first.postpone(usable=True)
    assert restart_order([first, other], first, crashed=True) == [first, other]


def test_after_its_second_failure_calls_run_one_after_the_other(
    artefact: Artefact, clock: list[float]
) -> None:
    """A worker that has no memory for the engines of its lanes would die again and again."""
    one = state(artefact, 0.8)
    alone = []
    for _ in range(3):
        one.begin_serving(0.8)
        clock[0] += 1
        one.postpone(usable=True)
        alone.append(one.alone)
    assert alone == [False, True, True]
    one.begin_serving(0.8)
    clock[0] += 601
    assert one.alone
    one.postpone(usable=True)
    assert not one.alone


def test_what_crashes_before_its_first_frame_waits_for_its_pause(
    artefact: Artefact, clock: list[float]
) -> None:
    crashing, healthy, broken = state(artefact, 0.2), state(artefact, 8.0), state(artefact, 0.1)
    broken.postpone(usable=False)
    crashing.begin_serving(0.2)
    crashing.postpone(usable=False)
    assert restart_order([crashing, healthy, broken], crashing, crashed=True) == [healthy, crashing]
    clock[0] += 5
    assert restart_order([crashing, healthy, broken], None, False) == [healthy, crashing, broken]


def test_pauses_double_and_start_again_after_steady_service(artefact: Artefact, clock: list[float]) -> None:
    one = state(artefact, 1.0)
    for pause in (5.0, 10.0, 20.0):
        one.postpone(usable=True)
        assert one.retry_at - clock[0] == pause
    one.begin_serving(0.7)
    assert (one.due, one.load_s) == (True, 0.7)
    clock[0] += 601
    one.postpone(usable=True)
    assert (one.retry_at - clock[0], one.failures) == (5.0, 1)


def test_a_first_choice_that_loads_slowly_waits_for_one_that_serves_meanwhile(
    artefact: Artefact, clock: list[float]
) -> None:
    slow, quick, untried = (state(artefact, load_s) for load_s in (6.0, 0.5, float("inf")))
    untried.judged = False
    assert start_order([slow, quick, untried]) == [quick, slow, untried]
    slow.load_s = 0.9
    assert start_order([slow, quick, untried]) == [slow, quick, untried]
    assert start_order([untried]) == [untried]


def test_what_is_not_right_is_not_started_first(artefact: Artefact, clock: list[float]) -> None:
    wrong, right = (state(artefact, 0.5) for _ in range(2))
    wrong.judge(TrialVerdict("wrong", False, "does not compute what was trained"))
    assert start_order([wrong, right]) == [right]
    assert (wrong.judged, wrong.usable, wrong.failures) == (True, False, 1)
