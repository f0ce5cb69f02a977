"""Intersection over union of the classes of pixels, beside plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.accuracy.evaluation import PixelEvaluation
from edgeagent.accuracy.pixel_accuracy import count_pixels, pixel_accuracy
from edgeagent.vision.class_map import UNLABELLED


def test_counts_are_those_of_plain_loops() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 5, (20, 30)).astype(np.uint16)
    found = random.integers(0, 4, (20, 30)).astype(np.uint16)
    truth[truth == 4] = UNLABELLED
    counts = count_pixels(truth, found, 4)
    pairs = [(a, b) for a, b in zip(truth.ravel().tolist(), found.ravel().tolist(), strict=True) if a < 4]
    for kind in range(4):
        right = sum(a == b == kind for a, b in pairs)
        labelled, taken = sum(a == kind for a, _ in pairs), sum(b == kind for _, b in pairs)
        assert counts[:, kind].tolist() == [right, labelled, taken]
    accuracy = pixel_accuracy([counts], "abcd")
    assert accuracy.pixels == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    unions = [
        sum(a == b == kind for a, b in pairs) / sum(kind in pair for pair in pairs) for kind in range(4)
    ]
    assert accuracy.miou == pytest.approx(np.mean(unions))


def test_a_class_that_is_not_labelled_does_not_count() -> None:
    truth, found = np.zeros((4, 4), np.uint16), np.zeros((4, 4), np.uint16)
    found[0] = 1
    accuracy = pixel_accuracy([count_pixels(truth, found, 3)], "abc")
    assert accuracy.per_class == {"a": 0.75}
    assert accuracy.miou == 0.75


def test_pictures_of_many_classes_take_little_memory() -> None:
    random, labels = np.random.default_rng(0), [str(index) for index in range(1000)]
    pictures = [random.integers(0, 1000, (64, 64)).astype(np.uint16) for _ in range(3)]
    counts = [count_pixels(picture, picture, 1000) for picture in pictures]
    assert sum(one.nbytes for one in counts) < 100_000
    evaluation = PixelEvaluation(counts, labels)
    assert evaluation.accuracy == pixel_accuracy(counts, labels)
    assert np.allclose(evaluation.resampled(), 1)
