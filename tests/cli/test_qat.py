"""What ``edgeagent qat train`` says about its arguments, before anything is trained."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.cli import main
from tests.cli.command import edgeagent, mistake, the_line, wrong_use
from tests.engines import cell_detector as cells
from tests.qat.models import SIZE, YOLOX_DESCRIPTION, small_yolox

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with its description, and pictures."""
    small_yolox(tmp_path / "m.onnx")
    (tmp_path / "m.yaml").write_text(YOLOX_DESCRIPTION)
    (tmp_path / "images").mkdir()
    for number in range(4):
        (tmp_path / "images" / f"{number}.png").write_bytes(cells.png(cells.picture([(number, 0)])))
    return tmp_path


def command(folder: Path, *more: object, model: str = "m.onnx", images: str = "images") -> list[object]:
    where = ("--model", folder / model, "--images", folder / images, "--out", folder / "out")
    return ["qat", "train", *where, "--no-compile", *more]


def refusal(capsys: Capture, folder: Path, code: int, *more: object, **names: str) -> str:
    """Return what is said, having made sure that no bundle was made."""
    line = mistake(capsys, code, *command(folder, *more, **names))
    assert not (folder / "out").exists()
    return line


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_a_missing_package(folder: Path, package: str) -> None:
    code, output, errors = edgeagent(*command(folder), without=package)
    assert (code, output) == (2, "")
    line = the_line(errors)
    assert line.startswith("training needs more packages (")
    assert package in line
    assert line.endswith("; pip install 'edgeagent[qat]'")


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("steps", "0", "Input should be greater than 0, got 0"),
        ("steps", "-5", "Input should be greater than 0, got -5"),
        ("batch", "0", "Input should be greater than 0, got 0"),
        ("rate", "0", "Input should be greater than 0, got 0.0"),
        ("rate", "nan", "Input should be a finite number, got nan"),
        ("rate", "inf", "Input should be a finite number, got inf"),
        ("integer-macs", "2", "Input should be less than or equal to 1, got 2.0"),
        ("seed", "-1", "Input should be greater than or equal to 0, got -1"),
    ],
)
def test_numbers_must_make_sense(
    folder: Path, capsys: Capture, option: str, value: str, complaint: str
) -> None:
    assert refusal(capsys, folder, 2, f"--{option}", value) == f"--{option}: {complaint}"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--keep", "trained"), "--keep: keeps a trained model, and a quick run trains nothing"),
        (("--lose-at-most", "0.01"), "--lose-at-most: layers that stay float are chosen after a training"),
        (("--integer-macs", "0.8"), "--lose-at-most: layers that stay float are chosen after a training"),
        (("--activation", "relu"), "--activation: another activation has to be trained"),
        (("--resume",), "--resume continues a training, and a quick run (--quick) trains nothing"),
    ],
)
def test_a_quick_run_refuses_what_needs_a_training(
    folder: Path, capsys: Capture, options: tuple[str, ...], complaint: str
) -> None:
    line = refusal(capsys, folder, 2, "--quick", *options, images="missing")
    assert line.startswith(complaint)


def test_a_recipe_is_read_before_anything_else(folder: Path, capsys: Capture) -> None:
    (folder / "recipe.yaml").write_text("training: {steps: many}\n")
    line = refusal(capsys, folder, 2, "--recipe", folder / "recipe.yaml")
    assert line.startswith(f"{folder / 'recipe.yaml'}: line 1: training.steps: ")


def test_numbers_must_be_numbers(folder: Path, capsys: Capture) -> None:
    assert "invalid int value: 'many'" in wrong_use(capsys, *command(folder, "--steps", "many"))
    assert "invalid int value: '1.5'" in wrong_use(capsys, *command(folder, "--batch", "1.5"))


def test_an_existing_bundle_is_not_touched(folder: Path, capsys: Capture) -> None:
    (folder / "out").mkdir()
    line = mistake(capsys, 2, *command(folder))
    assert line == f"{folder / 'out'}: exists already; choose another --out or give --replace"
    assert not any((folder / "out").iterdir())


@pytest.mark.parametrize("option", ["--val-images", "--val-labels"])
def test_validation_needs_pictures_and_labels(folder: Path, capsys: Capture, option: str) -> None:
    line = refusal(capsys, folder, 2, option, folder / "images")
    assert line == "--val-images and --val-labels belong together: give both or none"


def test_validation_data_are_looked_at_first(folder: Path, capsys: Capture) -> None:
    more = "--val-images", folder / "images", "--val-labels", folder / "absent"
    assert refusal(capsys, folder, 6, *more) == f"{folder / 'absent'}: no such folder"


@pytest.mark.parametrize("option", ["--golden", "--calibrate"])
def test_folders_of_pictures(folder: Path, capsys: Capture, option: str) -> None:
    assert refusal(capsys, folder, 6, images="absent") == f"{folder / 'absent'}: no such folder of pictures"
    line = refusal(capsys, folder, 6, option, folder / "absent")
    assert line == f"{folder / 'absent'}: no such folder of pictures"
    (folder / "empty").mkdir()
    assert refusal(capsys, folder, 6, images="empty").startswith(f"{folder / 'empty'}: no pictures here; ")


def test_a_description_is_needed(folder: Path, capsys: Capture) -> None:
    (folder / "m.yaml").rename(folder / "other.yaml")
    assert "no description of the model m.onnx" in refusal(capsys, folder, 6)
    more = "--describe", folder / "other.yaml", "--like", folder
    assert "not allowed with argument --describe" in wrong_use(capsys, *command(folder, *more))
    (folder / "other.yaml").write_text(YOLOX_DESCRIPTION.replace("64", "wide", 1))
    line = refusal(capsys, folder, 6, "--describe", folder / "other.yaml")
    assert line.startswith(f"{folder / 'other.yaml'}: line 5: input.width: ")
    assert "no such bundle directory" in refusal(capsys, folder, 3, "--like", folder / "absent")


def test_a_model_that_cannot_be_used(folder: Path, capsys: Capture) -> None:
    model = folder / "m.onnx"
    whole = model.read_bytes()
    problems = (
        (whole[: len(whole) // 2], "not a readable ONNX model ("),
        (b"", "the model is empty; copy it again"),
        (b"a text file", "not a readable ONNX model ("),
    )
    for content, problem in problems:
        model.write_bytes(content)
        line = refusal(capsys, folder, 6)
        assert line.startswith(f"{model}: {problem}")
    model.unlink()
    assert refusal(capsys, folder, 6) == f"{model}: no such file"
    model.mkdir()
    assert "is no file; give the path of a model" in refusal(capsys, folder, 6)


def test_a_model_of_another_size(folder: Path, capsys: Capture) -> None:
    (folder / "m.yaml").write_text(YOLOX_DESCRIPTION.replace(f"width: {SIZE}", "width: 128"))
    line = refusal(capsys, folder, 6)
    assert line.startswith(f"{folder / 'm.onnx'}: ")
    assert "128" in line


def test_names_that_are_not_utf8(folder: Path, capsys: Capture) -> None:
    odd = os.fsdecode(b"\xff")
    (folder / "images").rename(folder / f"images{odd}")
    (folder / f"images{odd}" / "0.png").write_bytes(b"")
    assert main([str(argument) for argument in command(folder, images=f"images{odd}")]) == 6
    errors = capsys.readouterr().err
    assert errors.splitlines()[-1].endswith(r"images\xff/0.png is empty")


def test_pictures_that_are_all_the_same(folder: Path, capsys: Capture) -> None:
    content = (folder / "images" / "0.png").read_bytes()
    for path in (folder / "images").iterdir():
        path.write_bytes(content)
    line = refusal(capsys, folder, 6)
    assert line.startswith(f"{folder / 'images'}: all 4 pictures are the same; ")
