"""``edgeagent qat describe`` on a detector whose preprocessing is known, and on a real one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.bundle.model_description import describe_model
from edgeagent.cli import main
from tests.cli.command import mistake
from tests.data import shared
from tests.qat.description.colour_detector import write_model, write_pictures
from tests.qat.models import small_yolox

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, pictures and labels."""
    write_model(tmp_path / "Red Cells.onnx")
    write_pictures(tmp_path / "images", tmp_path / "labels")
    return tmp_path


def describe(folder: Path, *more: object) -> list[str]:
    command = ["qat", "describe", folder / "Red Cells.onnx", "--pictures", folder / "images", *more]
    return [str(argument) for argument in command]


def test_labels_find_the_preprocessing(folder: Path, capsys: Capture) -> None:
    where = ("--json-file", folder / "found.json", "--draw", folder / "drawn")
    assert main(describe(folder, "--labels", folder / "labels", *where)) == 0
    found = describe_model(folder / "Red Cells.onnx")
    assert found.name == "red-cells"
    assert found.labels == ("class_0", "class_1")
    assert (found.decoder.family, found.decoder.strides, found.decoder.boxes) == ("yolox", (8,), "raw")
    assert found.input.colour == "rgb"
    assert found.input.std == (255.0, 255.0, 255.0)
    assert found.input.letterbox is not None
    assert (found.input.letterbox.anchor, found.input.letterbox.pad) == ("top-left", 114)
    text = (folder / "Red Cells.yaml").read_text()
    assert "too few to tell [RGB, 0..1, top-left, 114] from [RGB, 0..1, top-left, 0]" in " ".join(
        text.replace("\n#   ", " ").split()
    )
    assert "replace class_0 and so on by their names" in text
    record = json.loads((folder / "found.json").read_text())
    assert record["colours"][0]["way"] == "RGB, 0..1, top-left, 114"
    assert record["colours"][0]["score"] == pytest.approx(1)
    assert record["colours"][1]["score"] < 0.9
    assert len(list((folder / "drawn").iterdir())) == 8
    shown = capsys.readouterr().err
    assert "not told apart" in shown
    assert "of the model's own output" in shown


def test_heads_without_sigmoid_are_described_by_their_roles(folder: Path, capsys: Capture) -> None:
    write_model(folder / "Red Cells.onnx", sigmoid=False)
    line = mistake(capsys, 6, *describe(folder))
    assert "--head classes=" in line
    heads = ["box=conv0_0", "objectness=conv1_0", "classes=conv2_0"]
    options = [text for head in heads for text in ("--head", head)]
    assert main(describe(folder, "--labels", folder / "labels", *options)) == 0
    found = describe_model(folder / "Red Cells.onnx")
    assert found.heads == tuple(heads)
    assert found.input.colour == "rgb"
    assert found.input.std == (255.0, 255.0, 255.0)


def test_an_existing_description_is_not_touched(folder: Path, capsys: Capture) -> None:
    (folder / "Red Cells.yaml").write_text("mine\n")
    line = mistake(capsys, 2, *describe(folder))
    assert line.endswith("exists already; choose another --out or give --replace")
    assert (folder / "Red Cells.yaml").read_text() == "mine\n"


def test_a_model_that_finds_hardly_anything_is_doubted(folder: Path, capsys: Capture) -> None:
    small_yolox(folder / "Red Cells.onnx", classes=80)
    assert main(describe(folder)) == 0
    assert "do not trust this proposal" in capsys.readouterr().err
    found = describe_model(folder / "Red Cells.onnx")
    assert found.labels[:2] == ("person", "bicycle")
    assert found.decoder.family == "yolox"


def test_pictures_without_objects_are_refused(folder: Path, capsys: Capture) -> None:
    for path in (folder / "images").iterdir():
        cv2.imwrite(str(path), np.zeros((40, 64, 3), np.uint8))
    assert main(describe(folder)) == 6
    assert "nothing that can be trusted is found on 12 pictures" in capsys.readouterr().err
    assert not (folder / "Red Cells.yaml").exists()


def test_damaged_pictures_are_left_out(folder: Path, capsys: Capture) -> None:
    first, *others = sorted((folder / "images").iterdir())
    first.write_bytes(first.read_bytes()[:100])
    json_file = folder / "found.json"
    assert main(describe(folder, "--labels", folder / "labels", "--json-file", json_file)) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "left out: picture " in said
    assert "is truncated: its end is missing" in said
    assert json.loads(json_file.read_text())["pictures"] == len(others)
    for path in others:
        path.write_bytes(b"")
    assert "is truncated: its end is missing" in mistake(capsys, 6, *describe(folder, "--replace"))


def test_a_count_below_one(folder: Path, capsys: Capture) -> None:
    assert mistake(capsys, 2, *describe(folder, "--count", 0)) == "--count: expected 1 or more, got 0"


@pytest.mark.data
def test_picodet_without_labels(tmp_path: Path) -> None:
    model, pictures = shared("models", "picodet_s_320.onnx"), shared("data", "coco", "images", "val")
    out = tmp_path / "picodet.yaml"
    command = ["qat", "describe", model, "--pictures", pictures, "--count", "12", "--out", out]
    assert main([str(argument) for argument in command]) == 0
    found, right = describe_model(model, out), describe_model(Path("models/picodet-s-320.yaml"))
    assert found.decoder.model_copy(update={"boxes": "raw"}) == right.decoder
    assert found.labels == right.labels
    assert found.input.letterbox is None
    assert np.allclose(found.input.mean, right.input.mean)
    assert found.input.colour == right.input.colour
