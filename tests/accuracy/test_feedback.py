"""Judgements of frames, and what they add up to."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edgeagent.accuracy.feedback import (
    MOST_SOURCES,
    FeedbackError,
    Judged,
    RecentFrames,
    Tally,
    judge,
)
from edgeagent.telemetry.contract.feedback import MOST_JUDGED, Feedback
from edgeagent.vision.detections import Detections

LABELS = ("person", "car")
FRAME = {"source": "guard", "camera": "yard", "run": 17, "sequence": 151}
FOUND = Detections(
    np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], np.float32),
    np.array([0.9, 0.8, 0.7], np.float32),
    np.array([0, 0, 1], np.int32),
)


def feedback(**judgement: Any) -> Feedback:
    return Feedback.model_validate_json(json.dumps({**FRAME, **judgement}))


def verdicts(*right: bool) -> list[dict[str, Any]]:
    return [{"detection": place, "right": one} for place, one in enumerate(right)]


def judged(**judgement: Any) -> Judged:
    return judge(FOUND, LABELS, feedback(**judgement))


@pytest.mark.parametrize(
    ("judgement", "found", "right", "real", "real_found"),
    [
        ({"verdicts": verdicts(True, False)}, {"person": 2}, {"person": 1}, {}, {}),
        ({"verdicts": []}, {}, {}, {}, {}),
        (
            {"verdicts": verdicts(True, True, False), "missed": ["car", "car"]},
            {"person": 2, "car": 1},
            {"person": 2},
            {"person": 2, "car": 2},
            {"person": 2},
        ),
        (
            {"verdicts": verdicts(True, False, True), "missed": []},
            {"person": 2, "car": 1},
            {"person": 1, "car": 1},
            {"person": 1, "car": 1},
            {"person": 1, "car": 1},
        ),
        ({"objects": []}, {"person": 2, "car": 1}, {}, {}, {}),
        (
            {
                "objects": [
                    {"label": "person", "box": [1, 0, 10, 10]},
                    {"label": "car", "box": [20, 0, 30, 10]},
                    {"label": "car", "box": [40, 0, 50, 10]},
                    {"label": "car", "box": [40, 0, 51, 10]},
                ]
            },
            {"person": 2, "car": 1},
            {"person": 1, "car": 1},
            {"person": 1, "car": 3},
            {"person": 1, "car": 1},
        ),
    ],
)
def test_what_a_judgement_says(
    judgement: dict[str, Any],
    found: dict[str, int],
    right: dict[str, int],
    real: dict[str, int],
    real_found: dict[str, int],
) -> None:
    assert judged(**judgement) == Judged(Counter(found), Counter(right), Counter(real), Counter(real_found))


@pytest.mark.parametrize(
    ("judgement", "why"),
    [
        ({"verdicts": [{"detection": 3, "right": True}]}, "3 detections, so there is no 3"),
        ({"verdicts": verdicts(True) * 2}, "judged twice"),
        ({"verdicts": verdicts(True), "missed": []}, "each of the 3 detections, 1 are given"),
        ({"verdicts": verdicts(True, True, True), "missed": ["dog"]}, "'dog' is no label"),
        ({"objects": [{"label": "dog", "box": [0, 0, 1, 1]}]}, "'dog' is no label"),
    ],
)
def test_what_does_not_fit_the_frame_is_refused(judgement: dict[str, Any], why: str) -> None:
    with pytest.raises(FeedbackError, match=why):
        judged(**judgement)


@pytest.mark.parametrize(
    "judgement",
    [
        {},
        {"verdicts": [], "objects": []},
        {"objects": [], "missed": []},
        {"verdicts": verdicts(*[True] * (MOST_JUDGED + 1))},
        {"objects": [{"label": "car", "box": [0, 0, 1, 1]}] * (MOST_JUDGED + 1)},
        {"objects": [{"label": "car", "box": [0, 0, 0, 1]}]},
        {"objects": [{"label": "car", "box": [5, 0, 1, 1]}]},
        {"objects": [{"label": "car", "box": [0, 0, 1]}]},
        {"objects": [{"label": "car", "box": [0, 0, 1e9, 1]}]},
        {"objects": [{"label": "", "box": [0, 0, 1, 1]}]},
        {"verdicts": [{"detection": -1, "right": True}]},
        {"verdicts": [], "sequence": -1},
        {"verdicts": [], "source": "x" * 65},
        {"verdicts": [], "more": 1},
        {"verdicts": [], "request_id": "a b"},
    ],
)
def test_what_is_no_judgement_is_refused(judgement: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        feedback(**judgement)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1)), max_size=20), st.integers(0, 5))
def test_hits_never_exceed_counts(rows: list[tuple[bool, int]], missed: int) -> None:
    boxes = np.array([[0, 0, 1, 1]] * len(rows), np.float32).reshape(-1, 4)
    classes = np.array([place for _, place in rows], np.int32)
    found = Detections(boxes, np.ones(len(rows), np.float32), classes)
    said = feedback(verdicts=verdicts(*[right for right, _ in rows]), missed=["car"] * missed)
    tally = Tally()
    for _ in range(2):
        tally.add("guard", judge(found, LABELS, said))
    assert tally.found.total() == 2 * len(rows)
    assert tally.real.total() - tally.real_found.total() == 2 * missed
    for label in LABELS:
        assert tally.right[label] <= tally.found[label]
        assert tally.real_found[label] <= tally.real[label]


def test_sources_are_bounded() -> None:
    tally, one = Tally(), judged(verdicts=verdicts(True))
    for number in range(MOST_SOURCES):
        tally.add(f"guard {number}", one)
    with pytest.raises(FeedbackError, match="others are known already"):
        tally.add("one more", one)
    tally.add("guard 0", one)
    assert (tally.sources["guard 0"], tally.found["person"]) == (2, MOST_SOURCES + 1)


def test_memory_is_bounded_and_a_frame_is_judged_once() -> None:
    frames = RecentFrames(3)
    for sequence in range(5):
        frames.add("yard", sequence, FOUND)
    for gone in (0, 1, 5):
        with pytest.raises(FeedbackError, match=f"frame {gone} of camera yard is not remembered"):
            frames.find("yard", gone)
    assert frames.find("yard", 2) is FOUND
    frames.remove("yard", 2)
    with pytest.raises(FeedbackError, match="judged before"):
        frames.find("yard", 2)
    with pytest.raises(FeedbackError):
        frames.find("gate", 3)
