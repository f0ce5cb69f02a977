"""Debounced class of a picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.events.picture_class import ClassChange, PictureClass
from edgeagent.vision.classification import Classification

LABELS = ("open", "shut", "half")


def shows(label: str, score: float = 0.9) -> Classification:
    scores = np.full(3, (1 - score) / 2, np.float32)
    scores[LABELS.index(label)] = score
    return Classification(scores, LABELS)


def changes(frames: list[tuple[float, str, float]]) -> list[tuple[float, ClassChange]]:
    watched = PictureClass(appear_after=1.0, disappear_after=3.0, least_score=0.5)
    found = []
    for seconds, label, score in frames:
        change = watched.observe(shows(label, score), seconds, 1000 + seconds)
        if change is not None:
            found.append((seconds, change))
    return found


def test_a_label_counts_when_every_frame_has_shown_it_long_enough() -> None:
    (first, change), (second, next_change) = changes(
        [(0, "open", 0.9), (0.5, "open", 0.9), (1.0, "open", 0.8), (2, "shut", 0.9), (3.0, "shut", 0.7)]
    )
    assert (first, change) == (1.0, ClassChange("open", None, change.score, 1000.0))
    assert (second, next_change) == (3.0, ClassChange("shut", "open", next_change.score, 1002.0))
    assert change.score == pytest.approx(0.8)
    assert next_change.score == pytest.approx(0.7)
    assert next_change.describe("door") == "camera door shows shut, before open"


@pytest.mark.parametrize("between", [("shut", 0.9), ("open", 0.4)], ids=["another label", "unsure"])
def test_one_other_frame_begins_the_wait_anew(between: tuple[str, float]) -> None:
    frames = [(0.0, "open", 0.9), (0.5, *between), (0.9, "open", 0.9), (1.8, "open", 0.9)]
    assert changes(frames) == []
    assert [at for at, _ in changes([*frames, (2.0, "open", 0.9)])] == [2.0]


def test_flicker_between_labels_keeps_the_present_one_until_it_is_long_gone() -> None:
    settled = [(0.0, "open", 0.9), (1.0, "open", 0.9)]
    flicker = [(1.0 + step / 4, ("shut", "half")[step % 2], 0.9) for step in range(1, 16)]
    (_, begun), (ended, change) = changes([*settled, *flicker])
    assert begun.label == "open"
    assert (ended, change) == (4.0, ClassChange(None, "open", None, 1001.0))
    assert change.describe("door") == "camera door no longer shows open, and nothing else for certain"
