"""The reference that live frames are compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeagent.accuracy.agreement import Agreement, agreement
from edgeagent.accuracy.live.reference_model import ReferenceModel
from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.detection.ranking import rank_candidates
from edgeagent.detection.starting import LOW_PRIORITY_DEADLINE_S
from edgeagent.detection.trials import MOST_DEADLINE_S
from edgeagent.errors import EngineError
from edgeagent.imaging.picture import read_picture
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from tests.data import shared
from tests.included import QUICK_BUNDLE
from tests.qat.factory.test_description_check import description
from tests.qat.float_files import external_weights, free_batch, half_precision


def settings(folder: Path, reference: Path | None) -> Settings:
    return Settings.model_validate(
        {
            "state": folder / "state",
            "cameras": (CameraSettings(name="yard", source="0"),),
            "model": ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
            "accuracy": {"agreement_reference": reference},
        }
    )


def test_without_a_good_model_before_there_is_none(tmp_path: Path) -> None:
    bundle = open_bundle(QUICK_BUNDLE)
    model = ReferenceModel(settings(tmp_path, None), bundle.manifest, None, lambda: None)
    with pytest.raises(EngineError, match="agreement_reference can name"):
        model.load()
    assert model.name is None


def test_an_included_bundle_is_named(tmp_path: Path) -> None:
    bundle = open_bundle(QUICK_BUNDLE)
    model = ReferenceModel(settings(tmp_path, Path("coco-nano")), bundle.manifest, None, lambda: None)
    model.load().engine.close()
    assert model.name == f"coco-nano {bundle.manifest.version}"


@pytest.mark.data
def test_the_float_model_agrees_with_the_one_made_of_it(tmp_path: Path) -> None:
    float_model = shared("models", "yolox_nano.onnx")
    bundle = open_bundle(QUICK_BUNDLE)
    model = ReferenceModel(settings(tmp_path, float_model), bundle.manifest, None, lambda: None)
    reference = model.load()
    serving = load_bundle_detector(bundle, "onnxruntime", 1, 0.65)
    try:
        assert model.name == "float model yolox_nano.onnx"
        total = Agreement()
        for image in map(read_picture, bundle.golden_pictures()):
            found, beside = (one.detect(image, one.allocate(), 0.3) for one in (serving, reference))
            total += agreement(found, beside)
    finally:
        reference.engine.close()
    assert total.share is not None
    assert 0.8 < total.share < 1
    assert total.mean_score_difference is not None
    assert abs(total.mean_score_difference) < 0.1


@pytest.mark.parametrize("form", [external_weights, free_batch, half_precision])
def test_a_float_model_is_read_as_qat_reads_it(form: Callable[[Path], Path], tmp_path: Path) -> None:
    described = description(family="yolox")
    model = ReferenceModel(settings(tmp_path, form(tmp_path / "m.onnx")), described, None, lambda: None)
    reference = model.load()
    try:
        assert [spec.dtype.name for spec in reference.engine.outputs] == ["float32"]
        reference.warm_up()
    finally:
        reference.engine.close()


def test_a_worker_beside_another_has_time(tmp_path: Path) -> None:
    """It waits for what it runs beside; on a busy board that is long, and no hang."""
    bundle = open_bundle(QUICK_BUNDLE)
    chosen = settings(tmp_path, None)
    at_once, beside = (rank_candidates(bundle, chosen, None, nicer) for nicer in (0, 10))
    (candidate,) = at_once.trials.candidates
    assert at_once.trials.deadline_s(candidate) <= MOST_DEADLINE_S
    assert beside.trials.deadline_s(candidate) == LOW_PRIORITY_DEADLINE_S
