from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.cli import main
from tests.bundle.tiny import ARTEFACT
from tests.cli.command import ROOT, edgeagent, mistake, the_line, wrong_use
from tests.cli.test_eval import Data
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def refusal(capsys: Capture, data: Data, code: int, *more: object) -> str:
    return mistake(capsys, code, *data.arguments(*more))


def test_no_folder(data: Data, tmp_path: Path, capsys: Capture) -> None:
    for name in ("images", "labels"):
        right = getattr(data, name)
        setattr(data, name, tmp_path / "absent")
        assert refusal(capsys, data, 6) == f"{tmp_path / 'absent'}: no such folder"
        setattr(data, name, right)


def test_no_pictures_and_no_labels(data: Data, tmp_path: Path, capsys: Capture) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    images, data.images = data.images, empty
    assert refusal(capsys, data, 6) == f"{empty}: contains no pictures"
    data.images, data.labels = images, empty
    assert refusal(capsys, data, 6) == f"{empty}: no label file matches a picture of {images}"


def test_labels_without_any_object(data: Data, capsys: Capture) -> None:
    for file in data.labels.iterdir():
        file.write_text("")
    assert "the labels hold no object at all" in refusal(capsys, data, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\xff\xd8 half a JPEG", "is truncated: its end is missing; copy it again"),
        (b"a text file", "cannot be decoded: damaged, or of an unsupported format"),
    ],
)
def test_a_picture_that_cannot_be_read(data: Data, capsys: Capture, content: bytes, sentence: str) -> None:
    picture = data.images / "2.png"
    picture.write_bytes(content)
    assert refusal(capsys, data, 6) == f"picture {picture} {sentence}"


def test_a_picture_that_is_a_directory_is_left_out(data: Data, caplog: pytest.LogCaptureFixture) -> None:
    picture = data.images / "2.png"
    picture.unlink()
    picture.mkdir()
    assert main([str(one) for one in data.arguments()]) == 0
    assert f"{data.images}: 1 names are left out" in caplog.text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0 .5 .5 .1", "expected `class x y width height`, got '0 .5 .5 .1'"),
        ("person .5 .5 .1 .1", "expected `class x y width height`"),
        ("2 .5 .5 .1 .1", "class 2 is not one of the 2 labels (0..1)"),
        ("-1 .5 .5 .1 .1", "class -1 is not one of the 2 labels"),
        ("0.5 .5 .5 .1 .1", "class 0.5 is not one of the 2 labels"),
        ("0 320 240 64 48", "positions and sizes are fractions of the picture size, 0..1"),
        ("0 nan .5 .1 .1", "positions and sizes are fractions of the picture size"),
    ],
)
def test_a_wrong_label(data: Data, capsys: Capture, line: str, sentence: str) -> None:
    file = data.labels / "3.txt"
    file.write_text(f"0 .5 .5 .1 .1\n\n{line}\n")
    assert refusal(capsys, data, 6).startswith(f"{file}:3: {sentence}")


def test_labels_that_are_no_text(data: Data, capsys: Capture) -> None:
    (data.labels / "3.txt").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read as labels" in refusal(capsys, data, 6)


def test_a_missing_or_damaged_bundle(data: Data, tmp_path: Path, capsys: Capture) -> None:
    assert "no such bundle directory" in refusal(capsys, data, 3, "--bundle", tmp_path / "absent")
    artefact = data.bundle / ARTEFACT
    content = bytearray(artefact.read_bytes())
    content[-1] ^= 1
    artefact.write_bytes(content)
    assert f"{ARTEFACT} has the sha256" in refusal(capsys, data, 3)
    artefact.write_bytes(content[:-1])
    assert "the manifest says" in refusal(capsys, data, 3)


def test_a_model_that_does_not_load(data: Data, tmp_path: Path, capsys: Capture) -> None:
    for suffix in (".onnx", ".tflite"):
        model = tmp_path / f"m{suffix}"
        more = "--model", model, "--like", data.bundle
        line = refusal(capsys, data, 4, *more)
        assert line == f"{model}: the model cannot be read (No such file or directory); check the path"
        model.write_bytes(cells.write_onnx(tmp_path / "whole").read_bytes()[:500])
        line = refusal(capsys, data, 4, *more)
        assert line.startswith(f"{model}: ")
        assert "cannot load it" in line
        model.write_bytes(b"")
        assert refusal(capsys, data, 4, *more) == f"{model}: the model is empty; copy it again"
        model.unlink()
        model.mkdir()
        line = refusal(capsys, data, 4, *more)
        assert line == f"{model}: is no file; give the path of a model"


def test_a_model_of_another_kind(data: Data, tmp_path: Path, capsys: Capture) -> None:
    line = refusal(capsys, data, 2, "--model", tmp_path / "m.pt", "--like", data.bundle)
    assert line == f"{tmp_path / 'm.pt'}: --model takes an .onnx or .tflite file"
    assert (
        refusal(capsys, data, 2, "--model", tmp_path) == f"{tmp_path}: --model takes an .onnx or .tflite file"
    )
    raw = cells.write_onnx(tmp_path / "raw.onnx")
    line = refusal(capsys, data, 3, "--model", raw, "--like", data.bundle)
    assert line.startswith(
        f"{raw}: has 6 outputs, needs 1 by the description. Nor can its heads be decoded: "
    )
    line = refusal(capsys, data, 3, "--model", raw, "--like", QUICK_BUNDLE)
    assert "input picture has the shape (1, 32, 64, 3), the description says" in line


def test_a_model_without_a_description(data: Data, tmp_path: Path, capsys: Capture) -> None:
    model = cells.write_onnx(tmp_path / "m.onnx")
    assert "no description of the model m.onnx" in refusal(capsys, data, 6, "--model", model)


def test_options_that_do_not_go_together(data: Data, tmp_path: Path, capsys: Capture) -> None:
    more = "--bundle", data.bundle, "--like", data.bundle
    assert refusal(capsys, data, 2, *more) == "--like goes with --model; a bundle describes itself"
    line = wrong_use(capsys, *data.arguments("--bundle", data.bundle, "--model", tmp_path / "m.onnx"))
    assert "not allowed with argument" in line


def test_a_result_that_cannot_be_written(data: Data, tmp_path: Path, capsys: Capture) -> None:
    for path, reason in (
        (tmp_path / "absent" / "r.json", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (Path("/dev/full"), "No space left on device"),
        (data.labels / "0.txt" / "r.json", "Not a directory"),
    ):
        line = refusal(capsys, data, 1, "--bundle", data.bundle, "--json-file", path)
        assert line == f"{path}: the result cannot be written ({reason})"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cannot_be_written(data: Data, unbuffered: str) -> None:
    """Output to a full disk or a closed pipe is reported once as an error."""
    reading, gone = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    for output, reason in ((full, "No space left on device"), (gone, "Broken pipe")):
        done = subprocess.run(
            [sys.executable, "-m", "edgeagent", *data.arguments()],
            stdout=output, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
        os.close(output)
        assert done.returncode == 1
        assert reason in the_line(done.stderr)


def test_no_pycocotools(data: Data) -> None:
    code, _, errors = edgeagent(*data.arguments(), without="pycocotools")
    assert code == 1
    line = the_line(errors)
    assert line.startswith("evaluation needs pycocotools (")
    assert line.endswith("pip install 'edgeagent[eval]'")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_no_permission(data: Data, capsys: Capture) -> None:
    (data.images / "0.png").chmod(0)
    assert "cannot be read: Permission denied" in refusal(capsys, data, 6)
