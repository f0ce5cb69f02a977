"""Pictures for training from folders and data sets, up to the labels and the accuracy of a bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from edgeagent.bundle.reading import open_bundle
from edgeagent.cli import main
from edgeagent.datasets.given import validation_data
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.qat.factory.given_pictures import GivenPictures
from edgeagent.qat.factory.quantize import quantize
from edgeagent.qat.training.recipe import Recipe

NAMES = ("a", "b", "c")
RECIPE = BundleRecipe(training=Recipe(steps=2, batch=4), formats=("onnx",), tolerance=-1)


@pytest.fixture
def dataset(data: Path, tmp_path: Path) -> Path:
    """data.yaml with the splits train and val of the same pictures; classes are in the opposite order."""
    for split in ("train", "val"):
        shutil.copytree(data / "pictures", tmp_path / "set" / "images" / split)
        labels = tmp_path / "set" / "labels" / split
        labels.mkdir(parents=True)
        for path in (data / "labels").iterdir():
            index, _, box = path.read_text(encoding="utf-8").partition(" ")
            (labels / path.name).write_text(f"{2 - int(index)} {box}", encoding="utf-8")
    file = tmp_path / "set" / "data.yaml"
    file.write_text(yaml.safe_dump({"train": "images/train", "val": "images/val", "names": [*NAMES[::-1]]}))
    return file


def test_a_data_set_alone(dataset: Path) -> None:
    found = GivenPictures(dataset=dataset).find(measure=True)
    assert len(found.pictures) == 8
    labels = found.labels(None, NAMES)
    assert {path.stem: one.classes.tolist() for path, one in labels.items()} == {
        str(number): [number % 3] for number in range(8)
    }
    assert found.validation is not None
    assert found.validation.pictures[0].parent.name == "val"
    assert GivenPictures(dataset=dataset).find(measure=False).validation is None


def test_folders_beside_a_data_set_are_unlabelled(data: Path, dataset: Path) -> None:
    found = GivenPictures((data / "pictures",), dataset).find(measure=True)
    assert len(found.pictures) == 16
    assert len(found.labels(None, NAMES)) == 8
    assert len(found.labels(data / "labels", NAMES)) == 16


def test_other_pictures_to_measure_on(data: Path, dataset: Path) -> None:
    other = validation_data(None, None, data / "pictures", data / "labels")
    found = GivenPictures(dataset=dataset, validation=other).find(measure=True)
    assert found.validation is not None
    assert found.validation.pictures[0].parent == data / "pictures"
    other = validation_data(dataset, None, None, None)
    assert len(GivenPictures((data / "golden",), validation=other).find(measure=True).pictures) == 1


def test_what_does_not_go_together(data: Path, dataset: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^no pictures: give --dataset or --images$"):
        GivenPictures().find(measure=True)
    with pytest.raises(ConfigurationError, match=r"^--dataset-images goes with --dataset$"):
        GivenPictures((data / "pictures",), dataset_images=data).find(measure=True)
    with pytest.raises(ConfigurationError, match=r"^--labels goes with --images; a data set has labels"):
        GivenPictures(dataset=dataset).find(measure=True).labels(data / "labels", NAMES)


def test_a_bundle_from_a_data_set_is_that_from_folders(data: Path, dataset: Path, tmp_path: Path) -> None:
    model = data / "small.onnx"
    out = [tmp_path / "folders", tmp_path / "dataset"]
    folders = quantize(
        model,
        data / "pictures",
        out[0],
        recipe=RECIPE,
        labels=data / "labels",
        val_images=data / "pictures",
        val_labels=data / "labels",
        compiled=False,
    )
    found = quantize(model, None, out[1], recipe=RECIPE, dataset=dataset, compiled=False)
    assert [row.map50_95 for row in found.accuracy] == [row.map50_95 for row in folders.accuracy]
    first, second = (open_bundle(path) for path in out)
    assert first.manifest.artefacts[0].sha256 == second.manifest.artefacts[0].sha256


def test_a_mistake_ends_training_before_it_begins(data: Path, dataset: Path, tmp_path: Path) -> None:
    (dataset.parent / "labels" / "val" / "3.txt").write_text("7 .5 .5 .1 .1")
    with pytest.raises(DataError, match=r"3\.txt:1: class 7 is not one of the 3 labels"):
        quantize(data / "small.onnx", None, tmp_path / "out", recipe=RECIPE, dataset=dataset)
    assert not (tmp_path / "out.work").exists()


def test_sensitivity_takes_a_data_set(data: Path, dataset: Path, tmp_path: Path) -> None:
    command = ["qat", "sensitivity", "--model", data / "small.onnx", "--dataset", dataset, "--layers", "1"]
    assert main([str(part) for part in [*command, "--json-file", tmp_path / "r.json"]]) == 0
    assert "loss of the heads" in (tmp_path / "r.json").read_text()
