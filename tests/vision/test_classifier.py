"""Decoder of classifiers."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.errors import EngineError
from edgeagent.imaging.letterbox import fit_size
from edgeagent.vision.decoder_classifier import ClassifierDecoder
from edgeagent.vision.draw import draw
from edgeagent.vision.preprocessor import to_picture

LOGITS = DecoderSpec(family="classifier")
PROBABILITIES = DecoderSpec(family="classifier", scores="probabilities")


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1), (1, 1, 1, 4)])
def test_logits_in_codes_become_probabilities(shape: tuple[int, ...]) -> None:
    tensor = TensorSpec("scores", shape, np.dtype(np.uint8), 0.1, 128)
    codes = np.array([128, 138, 148, 100], np.uint8).reshape(shape)
    found = ClassifierDecoder(LOGITS, tensor).decode([codes], 0.99).named(("a", "b", "c", "d"))
    assert len(found) == 0
    result = found.classification
    assert result is not None
    powers = np.exp([0, 1, 2, -2.8])
    assert result.scores == pytest.approx(powers / powers.sum(), abs=1e-6)
    assert (result.label, result.class_index) == ("c", 2)
    assert [label for label, _ in result.top(2)] == ["c", "b"]


def test_large_logits_do_not_overflow_and_a_thousand_classes_are_ranked() -> None:
    tensor = TensorSpec("scores", (1, 1000), np.dtype(np.float32))
    values = np.linspace(-1e30, 1e30, 1000, dtype=np.float32)[None]
    found = ClassifierDecoder(LOGITS, tensor).decode([values], 0).classification
    assert found is not None
    assert (found.class_index, found.score) == (999, 1)
    assert len(found.top()) == 5


def test_what_is_no_score_is_refused() -> None:
    tensor = TensorSpec("scores", (1, 2), np.dtype(np.float32))
    with pytest.raises(EngineError, match="not finite"):
        ClassifierDecoder(LOGITS, tensor).decode([np.array([[np.nan, 0]], np.float32)], 0)
    with pytest.raises(EngineError, match=r"add up to 7\.00, so they are no probabilities"):
        ClassifierDecoder(PROBABILITIES, tensor).decode([np.array([[3, 4]], np.float32)], 0)
    found = ClassifierDecoder(PROBABILITIES, tensor).decode([np.array([[0.3, 0.7]], np.float32)], 0)
    assert found.classification is not None
    assert found.classification.scores == pytest.approx([0.3, 0.7])


def test_a_class_survives_the_way_to_the_picture_and_is_drawn() -> None:
    tensor = TensorSpec("scores", (1, 2), np.dtype(np.float32))
    decoded = ClassifierDecoder(LOGITS, tensor).decode([np.array([[0, 3]], np.float32)], 0)
    found = to_picture(decoded, fit_size((60, 80), (32, 32), "centre")).named(("no", "yes"))
    assert found.classification is not None
    assert found.take(found.scores >= 0.5).classification is found.classification
    picture = np.zeros((120, 160, 3), np.uint8)
    draw(picture, found, ("no", "yes"))
    assert picture[-12:, :40].any()
    assert not picture[:60].any()
