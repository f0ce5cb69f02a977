"""RTMDet decoder, compared with plain loops."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.vision.decoder import build_decoder
from tests.vision import slow
from tests.vision.raw_heads import CELLS, CLASSES, SIZE, STRIDES, RawHeads, random_heads

SCORE, IOU = 0.6, 0.5


def random(layout: str, quantized: bool, seed: int, distances: str) -> RawHeads:
    heads = random_heads({"box": 4, "classes": CLASSES}, layout, quantized, seed)
    for role, output in zip(heads.roles, heads.outputs, strict=True):
        if distances != "exp" and role.role == "box":  # boxes of a trained model have an area
            sides = np.moveaxis(output, 1 if layout == "nchw" else 3, 0)[: 2 if distances == "relu" else 4]
            sides[...] = np.maximum(sides, 120) if quantized else np.abs(sides)
    return heads


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "uint8"])
@pytest.mark.parametrize("distances", ["linear", "relu", "exp"])
@pytest.mark.parametrize("seed", range(2))
def test_raw_heads(
    layout: str, quantized: bool, distances: Literal["linear", "relu", "exp"], seed: int
) -> None:
    heads = random(layout, quantized, seed, distances)
    spec = DecoderSpec(family="rtmdet", strides=STRIDES, distances=distances)
    decoder = build_decoder(spec, heads.tensors, heads.roles, SIZE, CLASSES, IOU)
    candidates = slow.rtmdet(heads.read, STRIDES, SIZE, CLASSES, SCORE, distances)
    wanted = slow.suppress(candidates, IOU)
    assert 3 < len(wanted) <= len(candidates) < CELLS
    slow.assert_same(decoder.decode(heads.outputs, SCORE), wanted)


def test_a_huge_exponent_is_finite() -> None:
    heads = random_heads({"box": 4, "classes": CLASSES}, "nchw", False, 0)
    for output in heads.outputs:
        output[...] = 1000
    spec = DecoderSpec(family="rtmdet", strides=STRIDES, distances="exp")
    found = build_decoder(spec, heads.tensors, heads.roles, SIZE, CLASSES, 1.0).decode(heads.outputs, 0.5)
    assert len(found) == CELLS
    assert np.isfinite(found.boxes).all()
