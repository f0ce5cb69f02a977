"""The golden check of coco-nano, with right and wrong decoders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.errors import EngineError
from edgeagent.vision import decoder_yolox
from edgeagent.vision.heads import FloatArray
from tests.included import QUICK_BUNDLE

BUNDLE = open_bundle(QUICK_BUNDLE)
ARTEFACT = next(one for one in BUNDLE.manifest.artefacts if one.file == "model.onnx")


@pytest.fixture(scope="module")
def detector() -> Iterator[Detector]:
    detector = load_bundle_detector(BUNDLE, "onnxruntime", 1, 0.65, ARTEFACT.file)
    yield detector
    detector.engine.close()


def test_the_labelled_objects_are_found(detector: Detector) -> None:
    result = GoldenCheck(BUNDLE, ARTEFACT).run(detector.engine)
    assert result.right
    assert (result.labelled, result.least_found) == (41, 19)  # half of the claimed .889
    assert result.found >= 36
    assert f"{result.found} of 41 labelled objects found, 19 needed" in result.describe()


def test_a_decoder_of_other_boxes_is_wrong_though_the_outputs_are_right(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def linear(raw: FloatArray, grid: FloatArray, stride: FloatArray) -> FloatArray:
        size = np.maximum(raw[:, 2:], 0.3)  # sizes without the exponential
        return decoder_yolox.corners((raw[:, :2] + grid) * stride, size * stride)

    monkeypatch.setattr(decoder_yolox, "raw_boxes", linear)
    result = GoldenCheck(BUNDLE, ARTEFACT).run(detector.engine)
    assert result.worst <= result.tolerance and not result.right
    assert result.found < result.least_found


def test_boxes_in_shares_of_the_picture_are_refused(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shares(raw: FloatArray, grid: FloatArray, stride: FloatArray) -> FloatArray:
        return decoder_yolox.corners(grid * 0.01, np.full_like(grid, 0.2))

    monkeypatch.setattr(decoder_yolox, "raw_boxes", shares)
    with pytest.raises(EngineError, match="boxes on the golden pictures lie in them and have a size"):
        GoldenCheck(BUNDLE, ARTEFACT).run(detector.engine)
