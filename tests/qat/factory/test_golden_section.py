"""Golden pictures on their way into a bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.bundle.manifest import ModelDescription, OperatorCounts, OutputSpec
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import Exported
from edgeagent.qat.factory.golden_section import GoldenPictures
from tests.bundle.tiny import fields
from tests.engines import cell_detector as cells


@pytest.fixture
def description() -> ModelDescription:
    return ModelDescription.model_validate({**fields(), "artefacts": None, "golden": None})


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    outputs = tuple(OutputSpec.model_validate(item) for item in fields()["artefacts"][0]["outputs"])
    return Exported(cells.write_onnx(tmp_path / "model.onnx"), "onnx", "affine", outputs, OperatorCounts())


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    (tmp_path / "pictures").mkdir()
    found = []
    for name, scene in (("street.png", cells.CELLS), ("empty.png", ())):
        found.append(tmp_path / "pictures" / name)
        found[-1].write_bytes(cells.png(cells.picture(scene)))
    return found


def test_without_labels_the_float_model_makes_them_and_the_bundle_says_so(
    description: ModelDescription, exported: Exported, pictures: list[Path], tmp_path: Path
) -> None:
    entry, files = GoldenPictures(pictures).accuracy(description, exported, [exported], tmp_path)
    assert entry is not None
    assert entry["labelled_by"] == "float model"
    assert entry["labels"] == {
        "golden/street.png": "golden/street.txt",
        "golden/empty.png": "golden/empty.txt",
    }
    assert len(files["golden/street.txt"].splitlines()) == len(cells.CELLS)
    assert files["golden/empty.txt"] == b""
    assert entry["map50_95"] == {"model.onnx": pytest.approx(1)}


def test_labels_of_people_are_taken_as_they_are(
    description: ModelDescription, exported: Exported, pictures: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "labels").mkdir()
    text = cells.label_lines([*cells.CELLS, (0, 0), (4, 1)])
    (tmp_path / "labels" / "street.txt").write_text(text)
    given = GoldenPictures(pictures, LabelledPictures.pair(pictures, tmp_path / "labels"))
    entry, files = given.accuracy(description, exported, [exported], tmp_path)
    assert entry is not None
    assert entry["labelled_by"] == "people"
    assert files == {"golden/street.txt": text.encode(), "golden/empty.txt": b""}
    assert entry["map50_95"]["model.onnx"] == pytest.approx(51 / 101, abs=1e-4)
    (tmp_path / "labels" / "street.txt").write_text("7 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match=r"street\.txt:1: class 7"):
        given.accuracy(description, exported, [exported], tmp_path)


def test_where_nothing_is_found_nothing_is_claimed(
    description: ModelDescription, exported: Exported, pictures: list[Path], tmp_path: Path
) -> None:
    assert GoldenPictures(pictures[1:]).accuracy(description, exported, [exported], tmp_path) == (None, {})


def test_two_pictures_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"a/0\.png and b/0\.jpg: .* same name"):
        GoldenPictures([Path("a/0.png"), Path("b/0.jpg")])
