"""A classifier from its float model to a bundle, its checks, and its use."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import edgeagent
from edgeagent.accuracy.bundle_check import check_artefact
from edgeagent.bundle.reading import open_bundle
from edgeagent.engines.loading import available_engines
from edgeagent.errors import BundleError, ConfigurationError, DataError
from edgeagent.files.hashing import hash_file
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from tests.classifier import COLOURS, colour_bundle, colour_picture, colour_pictures
from tests.long import LONG


def test_a_bundle_has_top_1_labels_by_people_and_no_boxes(classifier_bundle: Path) -> None:
    manifest = open_bundle(classifier_bundle).manifest
    assert (manifest.task, manifest.decoder.family) == ("classification", "classifier")
    rows = manifest.evidence.measurements
    assert {row.measure.title for row in rows} == {"top-1"}
    assert rows[0].state == "float"
    assert rows[0].accuracy > 0.95
    for row in rows[1:]:
        assert row.loss is not None
        assert row.loss.low <= row.loss.lost <= row.loss.high
        assert row.map50_95 is None
    (artefact,) = manifest.artefacts
    (output,) = artefact.outputs
    assert output.role == "category"
    golden = manifest.golden
    assert golden is not None
    assert golden.accuracy is not None
    assert golden.accuracy.labelled_by == "people"
    assert golden.accuracy.claims["model.onnx"] > 0.8
    text = (classifier_bundle / "manifest.yaml").read_text(encoding="utf-8")
    assert "map50" not in text
    assert "evidence/boxes.json" not in manifest.evidence.files
    card = (classifier_bundle / "card.md").read_text(encoding="utf-8")
    assert "| top-1 | top-5 | loss of top-1 |" in card


def test_every_engine_gives_what_was_calibrated(classifier_bundle: Path) -> None:
    bundle, said = open_bundle(classifier_bundle), list[str]()
    (artefact,) = bundle.manifest.artefacts
    engines = [name for name in ("onnxruntime", "openvino") if name in available_engines()]
    for engine in engines:
        found = check_artefact(bundle, artefact, engine, said.append)
        assert found.golden is not None
        assert "6 of 6 labelled pictures found" in found.golden
        assert found.accuracy is not None
        assert found.accuracy.startswith("top-1 1.000 on the golden pictures (labels by people)")
    rows = bundle.manifest.evidence.measurements
    for row in rows:
        if row.artefact == artefact.file:
            assert row.accuracy >= rows[0].accuracy - 0.02  # two of 90 pictures


def test_a_bundle_whose_golden_labels_are_not_found_is_refused(
    classifier_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(classifier_bundle, copy)
    manifest = yaml.safe_load((copy / "manifest.yaml").read_text(encoding="utf-8"))
    for path in copy.glob("golden/*.txt"):
        index = int(path.read_text(encoding="utf-8").split()[0])
        path.write_text(f"{(index + 1) % 3} 0.5 0.5 1 1\n", encoding="utf-8")
        manifest["golden"]["sha256"][f"golden/{path.name}"] = hash_file(path)
    (copy / "manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    bundle = open_bundle(copy)
    with pytest.raises(BundleError, match="0 of 6 labelled pictures found, 3 needed"):
        check_artefact(bundle, bundle.manifest.artefacts[0], "onnxruntime", lambda line: None)


def test_a_classifier_is_opened_as_one_and_a_detector_as_another(classifier_bundle: Path) -> None:
    frames = [colour_picture(index, 77 + index) for index in range(3)]
    with edgeagent.open_classifier(classifier_bundle, engine="onnxruntime", isolated=False) as classifier:
        assert [classifier(frame).label for frame in frames] == list(COLOURS)
        streamed = [found.label for _, found in classifier.stream(frames)]
        assert streamed == list(COLOURS)
        assert classifier.labels == COLOURS
        assert classifier.facts.engine == "onnxruntime"
        with pytest.raises(DataError, match="expected"):
            classifier(np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigurationError, match="open_detector needs a detector, colours is a model for"):
        edgeagent.open_detector(classifier_bundle)
    with pytest.raises(ConfigurationError, match="open_classifier needs a classifier, coco-nano is a model"):
        edgeagent.open_classifier("coco-nano")
    accuracy = edgeagent.evaluate(classifier_bundle, dataset=classifier_bundle.parent / "data")
    assert isinstance(accuracy, edgeagent.TopAccuracy)
    assert accuracy.top1 > 0.95


def test_labels_of_a_detector_are_refused_before_any_work(classifier_bundle: Path, tmp_path: Path) -> None:
    folder = classifier_bundle.parent
    pictures = sorted((folder / "golden" / "red").iterdir())
    (tmp_path / "labels").mkdir()
    for path in pictures:
        (tmp_path / "labels" / f"{path.stem}.txt").write_text("2 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    with pytest.raises(DataError, match="the model gives one class to the whole picture"):
        edgeagent.quantize(
            folder / "colours.onnx",
            folder / "train",
            tmp_path / "out",
            val_images=folder / "golden" / "red",
            val_labels=tmp_path / "labels",
            quick=True,
        )
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="is labelled with the class of the whole picture"):
        edgeagent.evaluate("coco-nano", dataset=named_person(tmp_path, pictures[0]))


def named_person(folder: Path, picture: Path) -> Path:
    """Make a data set of one folder with a label of a detector."""
    (folder / "classes" / "person").mkdir(parents=True)
    (folder / "classes" / "person" / picture.name).write_bytes(picture.read_bytes())
    return folder / "classes"


def test_labels_of_training_pictures_add_the_cross_entropy(classifier_bundle: Path, tmp_path: Path) -> None:
    folder = classifier_bundle.parent
    result = edgeagent.quantize(
        folder / "colours.onnx",
        None,
        tmp_path / "bundle",
        dataset=colour_pictures(tmp_path / "data" / "train", 4).parent,
        recipe=BundleRecipe.model_validate(
            {"training": {"steps": 3, "batch": 4}, "ptq": "none", "formats": ("onnx",), "keep": "trained"}
        ),
        compiled=False,
    )
    recipe = open_bundle(result.path).manifest.evidence.recipe
    assert recipe["method"].startswith("self-distillation and labels")
    assert recipe["labelled_pictures"] == 12


@LONG
def test_litert_gives_what_was_calibrated(tmp_path: Path) -> None:
    bundle = open_bundle(colour_bundle(tmp_path, ("onnx", "tflite")))
    rows = bundle.manifest.evidence.measurements
    engines = {row.engine.split()[0] for row in rows if row.artefact in ("model.onnx", "model.tflite")}
    assert engines >= {"onnxruntime", "tflite"}
    assert all(row.accuracy >= rows[0].accuracy - 0.02 for row in rows)
    for artefact in bundle.manifest.artefacts:
        check_artefact(bundle, artefact, "auto", lambda line: None)
