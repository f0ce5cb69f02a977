"""Models and formats at the edges of what is usual."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import edgeagent
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.task import MEASURES
from edgeagent.errors import DataError
from edgeagent.qat.factory.accuracy_meter import LEAST_ABOVE_CHANCE, is_meaningful
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.qat.factory.calibration_remarks import describe_weak_model
from tests.qat.models import small_yolox


@pytest.mark.parametrize("classes", [1, 300])
def test_one_class_and_many_classes(data: Path, tmp_path: Path, classes: int) -> None:
    model = small_yolox(tmp_path / "m.onnx", classes)
    description = yaml.safe_load((data / "small.yaml").read_text(encoding="utf-8"))
    description["labels"] = [f"class {number}" for number in range(classes)]
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(description), encoding="utf-8")
    out = tmp_path / "bundle"
    result = edgeagent.quantize(
        model, data / "pictures", out, steps=2, ptq="none", formats=["onnx"], compiled=False
    )
    assert result.state in ("ptq", "qat")
    assert len(open_bundle(out).manifest.labels) == classes


def test_two_artefacts_for_one_engine(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    formats = ["tflite", "tflite-uint8"]
    result = edgeagent.quantize(
        data / "small.onnx",
        data / "pictures",
        out,
        quick=True,
        ptq="none",
        formats=formats,
        val_images=data / "pictures",
        val_labels=data / "labels",
        compiled=False,
    )
    measured = [row.artefact for row in result.accuracy if row.engine.startswith("tflite")]
    assert measured == [artefact.file for artefact in open_bundle(out).manifest.artefacts]
    assert measured == ["model.tflite", "model.uint8.tflite"]


def test_a_float_model_that_finds_next_to_nothing_compares_nothing() -> None:
    assert not is_meaningful(None, 0.0)
    assert not is_meaningful(0.004, 0.0)
    assert is_meaningful(LEAST_ABOVE_CHANCE, 0.0)
    line = describe_weak_model(0.004, MEASURES["detection"])
    assert line.startswith("the float model finds next to nothing (mAP50-95 0.004) of the labelled objects")
    line = describe_weak_model(0.0, MEASURES["detection"])
    assert line.startswith("the float model finds nothing of the labelled objects")


def test_a_classifier_that_guesses_compares_nothing() -> None:
    by_chance = MEASURES["classification"].by_chance(4)
    assert not is_meaningful(0.26, by_chance)
    assert is_meaningful(0.28, by_chance)
    line = describe_weak_model(0.26, MEASURES["classification"])
    assert line.startswith("the float model is no better than chance (top-1 0.260)")


def test_a_training_without_finite_numbers_writes_no_bundle(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    training = {"steps": 4, "batch": 4, "weight_rate": 1e12, "warm_up": 0.0}
    recipe = BundleRecipe.model_validate({"training": training, "ptq": "none", "formats": ("onnx",)})
    with pytest.raises(DataError, match=r"step \d+: the .*--resume and a lower --rate"):
        edgeagent.quantize(data / "small.onnx", data / "pictures", out, recipe=recipe, compiled=False)
    assert not out.exists()
