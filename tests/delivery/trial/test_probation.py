"""When a trial is good, when it is bad, and what is said of comparisons that cannot be made."""

from __future__ import annotations

from typing import Any

import pytest

from edgeagent.accuracy.agreement import Agreement
from edgeagent.delivery.trial.behaviour import MIN_FRAMES, Behaviour, Traffic
from edgeagent.delivery.trial.gate_report import GateFinding
from edgeagent.delivery.trial.probation import Probation, ProbationBaseline
from edgeagent.settings.sections.delivery import ProbationSettings

LABELS = ("person", "car")
MS = 1_000_000
GOOD = ProbationBaseline(Behaviour(1000, rate=2.0, score=0.6, p90_ms=10.0), labels=LABELS)


def trial(baseline: ProbationBaseline = GOOD, labels: tuple[str, ...] = LABELS, **changes: Any) -> Probation:
    settings = ProbationSettings(**{"time": 100.0, "frames": 70, **changes})
    return Probation(settings, baseline, labels, now=1000.0)


def frames(
    probation: Probation, count: int = 70, found: int = 2, score: float = 0.6, ms: float = 10
) -> Probation:
    for _ in range(count):
        probation.frame(found, found * score, int(ms * MS))
    return probation


def finding(probation: Probation, check: str) -> GateFinding:
    (one,) = [one for one in probation.findings() if one.check == check]
    return one


def test_it_is_good_when_both_time_and_frames_have_passed() -> None:
    probation = frames(trial(), 69)
    assert probation.verdict(2000.0)[0] == "on_trial"
    frames(probation, 1)
    assert probation.verdict(1099.0) == ("on_trial", "70 of 70 frames, 1 s left")
    assert probation.verdict(1100.0) == ("good", "nothing speaks against it after 70 frames")
    assert [one.outcome for one in probation.findings()] == ["passed"] * 4 + ["absent"]


@pytest.mark.parametrize(
    ("behaviour", "check"),
    [
        ({"ms": 25}, "speed"),
        ({"found": 0}, "rate"),
        ({"found": 4}, "rate"),
        ({"score": 0.9}, "score"),
        ({"score": 0.3}, "score"),
    ],
)
def test_each_drift_is_bad_and_said_alone(behaviour: dict[str, Any], check: str) -> None:
    probation = frames(trial(), **behaviour)
    verdict, reason = probation.verdict(1100.0)
    assert verdict == "bad"
    assert reason == finding(probation, check).sentence
    assert [one.check for one in probation.findings() if one.outcome == "failed"] == [check]


def test_drift_within_the_limits_is_good() -> None:
    assert frames(trial(), found=3, score=0.4, ms=19).verdict(1100.0)[0] == "good"


def test_drift_is_not_judged_early() -> None:
    assert frames(trial(), found=0).verdict(1050.0)[0] == "on_trial"


def test_three_strikes_end_it_at_once() -> None:
    probation = trial()
    probation.strike("died of SIGSEGV")
    probation.strike("died of SIGSEGV")
    assert probation.verdict(1001.0)[0] == "on_trial"
    probation.strike("no answer within 2 s")
    wanted = "3 times its engine failed, the last time: no answer within 2 s"
    assert probation.verdict(1001.0) == ("bad", wanted)
    assert finding(probation, "strikes").outcome == "failed"


def test_strikes_of_earlier_runs_count() -> None:
    settings = ProbationSettings(strikes=3)
    probation = Probation(settings, GOOD, LABELS, now=0.0, strikes=2)
    probation.strike("hung")
    assert probation.verdict(1.0)[0] == "bad"


def test_a_model_that_nothing_serves_any_more_is_bad_at_once() -> None:
    probation = trial()
    probation.gone("no file")
    assert probation.verdict(1001.0) == ("bad", "nothing serves it any more: no file")


def test_without_a_baseline_comparisons_are_absent_and_say_so() -> None:
    absent = ProbationBaseline(None, "the agent was restarted")
    probation = frames(trial(absent), found=0, ms=500)
    assert probation.verdict(1100.0)[0] == "good"
    for check in ("speed", "rate", "score"):
        assert finding(probation, check).outcome == "absent"
        assert finding(probation, check).sentence == "not compared: the agent was restarted"


def test_too_few_frames_are_not_compared() -> None:
    probation = frames(trial(frames=10), 10, ms=500)
    assert probation.verdict(1100.0)[0] == "good"
    assert finding(probation, "speed").sentence == f"not compared: it had fewer than {MIN_FRAMES} frames"


def test_other_labels_cannot_be_compared_but_times_can() -> None:
    probation = frames(trial(labels=("dog",)), found=0, ms=25)
    assert finding(probation, "rate").sentence == "not compared: the last good model has other labels"
    assert finding(probation, "score").outcome == "absent"
    assert finding(probation, "speed").outcome == "failed"


def test_a_last_good_model_that_found_nothing_is_no_measure() -> None:
    quiet = ProbationBaseline(Behaviour(1000, rate=0.0, score=None, p90_ms=10.0), labels=LABELS)
    probation = frames(trial(quiet))
    assert finding(probation, "rate").sentence == "the last good model found nothing at all"
    assert finding(probation, "score").sentence == "the last good model found nothing to score"
    assert probation.verdict(1100.0)[0] == "good"


def test_a_shadow_that_agrees_too_little_is_bad() -> None:
    probation = frames(trial(shadow_every=5))
    assert finding(probation, "shadow").sentence == "no shadow run: no frame was compared"
    probation.shadowed(Agreement(1, 2, 8))
    assert finding(probation, "shadow").measured == 0.5
    assert probation.verdict(1100.0)[0] == "good"
    probation.shadowed(Agreement(1, 0, 2))
    assert probation.verdict(1100.0) == ("bad", "40% of 10 boxes on 2 frames match the last good model's")


def test_a_shadow_that_ended_says_why() -> None:
    probation = trial(shadow_every=5)
    probation.shadow_ended("the device is busy")
    assert finding(probation, "shadow").sentence == "no shadow run: the device is busy"
    assert finding(trial(), "shadow").sentence == "no shadow run: not asked for"


def test_traffic_forgets_all_but_the_last_two_blocks() -> None:
    traffic = Traffic(100)
    assert traffic.behaviour() is None
    for found, ms in ((9, 50), (1, 10), (3, 10)):
        for _ in range(100):
            traffic.record(found, found * 0.5, ms * MS)
    behaviour = traffic.behaviour()
    assert behaviour is not None
    assert (behaviour.frames, behaviour.rate, behaviour.score) == (200, 2.0, 0.5)
    assert behaviour.p90_ms == pytest.approx(10, rel=0.02)


def test_traffic_without_detections_has_no_score() -> None:
    traffic = Traffic(1)
    for _ in range(MIN_FRAMES):
        traffic.record(0, 0.0, MS)
    behaviour = traffic.behaviour()
    assert behaviour is not None
    assert (behaviour.rate, behaviour.score) == (0.0, None)
