"""Difference in mAP between two models, with its interval."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.files.resources import default_bundle
from tests.bundle.tiny import ARTEFACT, fields
from tests.cli.command import mistake
from tests.cli.test_eval import Data, _concatenated
from tests.data import shared
from tests.engines import cell_detector as cells

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_a_model_against_itself(data: Data, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    arguments = data.arguments("--bundle", data.bundle, "--against", data.bundle, "--json-file", file)
    assert main(arguments) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"+0.0000 mAP50-95 against {data.bundle}, 95 % interval +0.0000 to +0.0000"
    against = json.loads(file.read_text(encoding="utf-8"))["against"]
    assert against == {"model": str(data.bundle), "map50_95": 0.0, "low": 0.0, "high": 0.0}


def test_a_float_model_takes_the_description_of_the_first(
    data: Data, capsys: Capture, tmp_path: Path
) -> None:
    model = _concatenated(tmp_path / "m.onnx")
    assert main(data.arguments("--bundle", data.bundle, "--against", model)) == 0
    assert f"against {model}, 95 % interval" in capsys.readouterr().out


@pytest.mark.data
def test_a_float_model_runs_in_an_engine_that_reads_it(tmp_path: Path, capsys: Capture) -> None:
    pictures = default_bundle() / "golden"
    labels = default_bundle() / "golden"
    model = shared("models", "yolox_nano.onnx")
    given = ("--images", pictures, "--labels", labels, "--engine", "tflite", "--threads", 1)
    command = ("eval", "--bundle", "coco-nano", *given, "--against", model)
    assert main([str(argument) for argument in command]) == 0
    shown = capsys.readouterr().out
    assert "   tflite " in shown.splitlines()[0]
    assert f"mAP50-95 against {model}, 95 % interval" in shown


def test_mistakes(data: Data, capsys: Capture, tmp_path: Path) -> None:
    other = cells.build_bundle(tmp_path / "other", labels=[*fields()["labels"][:-1], "tree"]).directory
    line = mistake(capsys, 2, *data.arguments("--bundle", data.bundle, "--against", other))
    assert line == f"--against {other}: has other labels; compare models of the same classes"
    file = data.bundle / "manifest.yaml"
    line = mistake(capsys, 2, *data.arguments("--bundle", data.bundle, "--against", file))
    assert "--against takes a bundle, or an .onnx or .tflite file" in line
    assert ARTEFACT.endswith(".onnx")
