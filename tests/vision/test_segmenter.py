"""Decoder of segmenters: outputs in either layout, with as many rows or columns as classes."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec, OutputSpec
from edgeagent.engines.engine import TensorSpec
from edgeagent.vision.decoder import build_decoder

STRIDE = 8
SPEC = DecoderSpec(family="segmenter")
ROLES = [OutputSpec(name="scores", role="category", stride=STRIDE)]


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (5, 4), (4, 5), (5, 2)])
def test_the_class_of_each_cell_is_that_of_the_highest_score(
    rows: int, columns: int, channels_first: bool
) -> None:
    classes = 5
    wanted = np.random.default_rng(1).integers(0, classes, (rows, columns))
    scores = np.eye(classes, dtype=np.float32)[wanted][None]
    scores = scores.transpose(0, 3, 1, 2) if channels_first else scores
    tensor = TensorSpec("scores", scores.shape, np.dtype(np.float32))
    size = (columns * STRIDE, rows * STRIDE)
    found = build_decoder(SPEC, [tensor], ROLES, size, classes, 0.5).decode([scores], 0.4).class_map
    assert found is not None
    assert (found.cells == wanted).all()
