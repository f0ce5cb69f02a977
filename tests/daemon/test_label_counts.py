"""Counts of one frame by label, within bounds."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.daemon.label_counts import LabelCounter
from edgeagent.settings.sections.objects import DEFAULT_LABELS, LONGEST_LABEL, MOST_LABELS, ObjectSettings

LABELS = ("person", "dog", "car")


def classes(*indices: int) -> np.ndarray:
    return np.array(indices, np.int32)


def test_configured_labels_are_counted_from_0_and_those_that_the_model_lacks_are_absent() -> None:
    found = LabelCounter(("person", "car", "unicorn")).count(LABELS, classes(0, 0, 1))
    assert found.counts == {"person": 2, "car": 0}
    assert found.left_out == 0


def test_default_labels_are_people_and_vehicles() -> None:
    assert ObjectSettings().labels == DEFAULT_LABELS
    assert "person" in DEFAULT_LABELS
    assert LabelCounter(DEFAULT_LABELS).count(("face",), classes(0)).counts == {}


def test_without_configured_labels_each_is_counted_from_its_first_detection_on() -> None:
    counter = LabelCounter(None)
    assert counter.count(LABELS, classes()).counts == {}
    assert counter.count(LABELS, classes(1, 1)).counts == {"dog": 2}
    assert counter.count(LABELS, classes(2)).counts == {"dog": 0, "car": 1}


def test_many_and_long_labels_are_left_out_and_their_objects_counted() -> None:
    labels = ("x" * (LONGEST_LABEL + 1), *(f"class {number}" for number in range(1000)))
    counter = LabelCounter(None)
    found = counter.count(labels, classes(*range(1001), 0))
    assert len(found.counts) == MOST_LABELS
    assert set(found.counts.values()) == {1}
    assert found.left_out == 1002 - MOST_LABELS
    again = counter.count(labels, classes(*range(1, MOST_LABELS + 1)))
    assert again.left_out == 0


def test_another_model_keeps_the_labels_that_it_has() -> None:
    counter = LabelCounter(None)
    counter.count(LABELS, classes(0, 2))
    assert counter.count(("car", "boat"), classes(0, 0, 1)).counts == {"car": 2, "boat": 1}


@pytest.mark.parametrize("labels", [("a", "a"), ("",), ("x" * 65,), tuple(str(i) for i in range(33))])
def test_labels_that_cannot_be_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="labels"):
        ObjectSettings.model_validate({"labels": labels})
