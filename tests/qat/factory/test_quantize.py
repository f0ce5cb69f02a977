"""The factory from Python."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.cli import main
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.qat.factory.progress import (
    ProgressEvent,
    ProgressMessage,
    StageFinished,
    StageProgress,
    StageStarted,
)
from edgeagent.qat.factory.quantize import quantize
from edgeagent.qat.training.recipe import Recipe

RECIPE = BundleRecipe(training=Recipe(steps=9, batch=4), formats=("tflite",), keep="trained")


def hashes(bundle: Path) -> dict[str, str]:
    return {
        str(path.relative_to(bundle)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }


def assert_nested(events: list[ProgressEvent]) -> None:
    """Every stage ends, the innermost first, and progress belongs to the innermost."""
    stages: list[str] = []
    for event in events:
        if isinstance(event, StageStarted):
            stages.append(event.stage)
        elif isinstance(event, StageFinished):
            assert stages.pop() == event.stage
        elif isinstance(event, StageProgress):
            assert stages[-1] == event.stage
    assert stages == []


def test_the_result_is_that_of_the_command_and_nothing_is_printed(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events: list[ProgressEvent] = []
    result = quantize(
        data / "small.onnx",
        data / "pictures",
        tmp_path / "python",
        recipe=RECIPE,
        steps=3,
        seed=1,
        formats=["onnx"],
        val_images=data / "pictures",
        val_labels=data / "labels",
        golden=data / "golden",
        compiled=False,
        progress=events.append,
    )
    assert capfd.readouterr() == ("", "")
    assert result.path == tmp_path / "python"
    assert result.state == "qat"
    assert [artefact.path.name for artefact in result.artefacts] == ["model.onnx"]
    manifest = open_bundle(result.path).manifest
    assert manifest.evidence.measurements == result.accuracy
    assert [row.state for row in result.accuracy][:: len(result.accuracy) - 1] == ["float", "qat"]
    assert_nested(events)
    steps = [event for event in events if isinstance(event, StageProgress) and "grid" in event.stage]
    assert [event.done for event in steps] == [1, 2, 3]
    assert StageStarted("training, affine grid", 3) in events
    assert any(isinstance(event, ProgressMessage) and "8 pictures" in event.text for event in events)
    command = ["qat", "train", "--model", data / "small.onnx", "--images", data / "pictures", "--no-compile"]
    command += ["--out", tmp_path / "command", "--steps", 3, "--batch", 4, "--seed", 1, "--format", "onnx"]
    command += ["--keep", "trained"]
    command += ["--val-images", data / "pictures", "--val-labels", data / "labels"]
    assert main([str(argument) for argument in [*command, "--golden", data / "golden"]]) == 0
    assert hashes(tmp_path / "command") == hashes(tmp_path / "python")


def test_stages_end_after_an_error_too(data: Path, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    events: list[ProgressEvent] = []

    def stop(event: ProgressEvent) -> None:
        events.append(event)
        if isinstance(event, StageProgress):
            raise StopError

    with pytest.raises(StopError):
        quantize(
            data / "small.onnx",
            [data / "pictures"],
            tmp_path / "out",
            recipe=RECIPE,
            formats=["onnx"],
            compiled=False,
            progress=stop,
        )
    assert_nested(events)
    assert not (tmp_path / "out").exists()


def test_mistakes_are_typed_and_name_the_argument(data: Path, tmp_path: Path) -> None:
    model, pictures, out = data / "small.onnx", data / "pictures", tmp_path / "out"
    with pytest.raises(ConfigurationError, match=r"^steps: Input should be greater than 0, got 0$"):
        quantize(model, pictures, out, steps=0)
    with pytest.raises(ConfigurationError, match="--val-images and --val-labels belong together"):
        quantize(model, pictures, out, val_labels=data / "labels")
    with pytest.raises(DataError, match="no such folder of pictures"):
        quantize(model, [pictures, tmp_path / "absent"], out)
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: no such recipe file"):
        quantize(model, pictures, out, recipe=tmp_path / "absent.yaml")
    out.mkdir()
    with pytest.raises(ConfigurationError, match="exists already"):
        quantize(model, pictures, out)


def test_the_example_writes_a_bundle(data: Path, tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "quantize.py"
    out = tmp_path / "bundle"
    arguments = [str(data / "small.onnx"), str(data / "pictures"), str(out), "--steps", "2"]
    done = subprocess.run([sys.executable, str(example), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{out}: qat"
    assert open_bundle(out).manifest.artefacts[0].file == "model.onnx"
