"""A detector on labelled pictures: one whose answers are known, and YOLOX-nano on photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeagent.accuracy.evaluation import IOU_THRESHOLD, evaluate_detector
from edgeagent.bundle.manifest import ModelDescription, OutputSpec
from edgeagent.bundle.model_description import describe_model
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.errors import DataError
from tests.bundle.tiny import fields
from tests.data import shared
from tests.engines.cell_detector import HEIGHT, LABELS, WIDTH, label_lines, picture, png, write_onnx

Cells = Sequence[tuple[int, int]]
DESCRIPTION = Path(__file__).parents[2] / "models" / "yolox-nano.yaml"
SCENES: tuple[Cells, ...] = (((2, 1), (6, 3)), ((0, 0),), ((5, 2), (1, 3), (7, 0)))


@pytest.fixture
def detector(tmp_path: Path) -> Detector:
    """Finds white cells in black pictures, as persons."""
    described = fields()
    (artefact,) = described.pop("artefacts")
    roles = [OutputSpec.model_validate(item) for item in artefact["outputs"]]
    description = ModelDescription.model_validate({**described, "golden": None})
    return load_detector(description, write_onnx(tmp_path / "cells.onnx"), "onnx", roles, 1, IOU_THRESHOLD)


def written(folder: Path, scenes: Sequence[Cells], labels: Sequence[str]) -> LabelledPictures:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for number, (cells, lines) in enumerate(zip(scenes, labels, strict=True)):
        (folder / "images" / f"{number}.png").write_bytes(png(picture(cells)))
        (folder / "labels" / f"{number}.txt").write_text(lines)
    return LabelledPictures.find(folder / "images", folder / "labels")


def test_everything_is_found(tmp_path: Path, detector: Detector) -> None:
    data = written(tmp_path, SCENES, [label_lines(cells) for cells in SCENES])
    done: list[int] = []
    result = evaluate_detector(detector, data, done.append)
    assert (result.map50_95, result.map50) == pytest.approx((1, 1))
    assert result.per_class == {LABELS[0]: 1}
    assert result.images == 3
    assert done == [1, 2, 3]


def test_half_of_the_objects_cannot_be_seen(tmp_path: Path, detector: Detector) -> None:
    """Three objects of six, each found with precision 1: recalls 0, .01, ... .5 are reached."""
    seen: Cells = [(2, 1)]
    data = written(tmp_path, [seen] * 3, [label_lines([*seen, (6, 3)])] * 3)
    assert evaluate_detector(detector, data).map50 == pytest.approx(51 / 101)


def test_a_class_that_is_never_found(tmp_path: Path, detector: Detector) -> None:
    cells: Cells = [(2, 1)]
    lines = label_lines(cells)
    data = written(tmp_path, [cells], [lines + lines.replace("0 ", "1 ", 1)])
    result = evaluate_detector(detector, data)
    assert result.map50 == pytest.approx(1 / 2)
    assert result.per_class == {LABELS[0]: 1, LABELS[1]: 0}


def test_labels_lie_in_the_picture_as_it_is_not_as_it_is_fed(tmp_path: Path, detector: Detector) -> None:
    """A square picture, half as high as the input: enlarged, and the right half of the input is padding."""
    data = written(tmp_path, [[(2, 1)]], [f"0 {10 / 16} {6 / 16} {4 / 16} {4 / 16}"])
    small = np.zeros((HEIGHT // 2, WIDTH // 4, 3), np.uint8)
    small[4:8, 8:12] = 255  # becomes cell (2, 1)
    data.pictures[0].write_bytes(png(small))
    result = evaluate_detector(detector, data)
    assert (result.map50_95, result.map50) == pytest.approx((1, 1))


def test_one_detector_can_be_used_again(tmp_path: Path, detector: Detector) -> None:
    data = written(tmp_path, SCENES, [label_lines(cells) for cells in SCENES])
    assert evaluate_detector(detector, data) == evaluate_detector(detector, data)


def test_damaged_data_end_it(tmp_path: Path, detector: Detector) -> None:
    data = written(tmp_path, SCENES, [label_lines(cells) for cells in SCENES])
    label_file = data.label_files[1]
    assert label_file is not None
    label_file.write_text("2 0.5 0.5 0.1 0.1")
    with pytest.raises(DataError, match=r"1\.txt:1: class 2 is not one of the 2 labels"):
        evaluate_detector(detector, data)
    label_file.write_text("1 0.5 0.5 0.1 0.1")
    data.pictures[0].write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png cannot be decoded"):
        evaluate_detector(detector, data)


@pytest.mark.data
def test_the_float_model_on_photos() -> None:
    """The published model gives .340 on these 64 pictures (SOURCES.md of the data)."""
    model, coco = shared("models", "yolox_nano.onnx"), shared("data", "coco")
    detector = load_detector(describe_model(model, DESCRIPTION), model, "onnx", (), 2, IOU_THRESHOLD)
    data = LabelledPictures.find(coco / "images" / "val", coco / "labels" / "val")
    result = evaluate_detector(detector, data)
    assert result.images == 64
    assert result.map50_95 == pytest.approx(0.34, abs=0.01)
    assert result.map50 == pytest.approx(0.511, abs=0.015)
