"""Float models whose output is not decoded are evaluated from their heads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.bench.cold_start import cold_start
from edgeagent.bench.measured_candidates import load_candidate, reference_candidates
from edgeagent.bundle.manifest import OutputSpec
from edgeagent.bundle.model_description import describe_model
from edgeagent.cli import main
from edgeagent.errors import BundleError, EngineError
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.export import exports
from edgeagent.qat.export.cut_model import decodable_file
from tests.cli.command import edgeagent, mistake, the_line
from tests.data import shared
from tests.engines import cell_detector as cells
from tests.qat.description.colour_detector import write_model, write_pictures

DESCRIPTION = """\
name: red-cells
version: 1.0.0
task: detection
labels: [red, other]
input: {width: 64, height: 64, layout: nhwc, colour: rgb, std: [255, 255, 255]}
decoder: {family: yolox, strides: [8]}
licence: Apache-2.0
attribution: made by the tests
"""
HEADS = "heads: [box=conv0_0, objectness=conv1_0, classes=conv2_0]\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of three raw heads without sigmoid, with its description."""
    write_pictures(tmp_path / "images", tmp_path / "labels")
    path = write_model(tmp_path / "m.onnx", sigmoid=False)
    path.with_suffix(".yaml").write_text(DESCRIPTION + HEADS)
    return path


def command(model: Path, *more: object) -> list[object]:
    where = ("--images", model.parent / "images", "--labels", model.parent / "labels")
    return ["eval", "--model", model, *where, *more]


def test_eval_decodes_the_heads(model: Path) -> None:
    out = model.parent / "result.json"
    assert main([str(argument) for argument in command(model, "--json-file", out)]) == 0
    assert json.loads(out.read_text())["map50_95"] == pytest.approx(1)


def test_eval_takes_a_description_from_elsewhere(model: Path) -> None:
    other = model.with_suffix(".yaml").rename(model.parent / "other.yaml")
    assert main([str(argument) for argument in command(model, "--describe", other)]) == 0


def test_without_torch_the_extra_is_named(model: Path) -> None:
    code, _, errors = edgeagent(*command(model), without="torch")
    assert code == 2
    line = the_line(errors)
    assert "the description names heads; its heads can be cut instead" in line
    assert line.endswith("pip install 'edgeagent[qat]'")


def test_a_model_whose_output_is_decoded_stays_as_it_is(model: Path, tmp_path: Path) -> None:
    whole = write_model(tmp_path / "whole.onnx")
    whole.with_suffix(".yaml").write_text(DESCRIPTION)
    found = decodable_file(whole, describe_model(whole), tmp_path)
    assert (found.path, found.outputs) == (whole, ())


def test_neither_output_nor_heads(model: Path, tmp_path: Path) -> None:
    model.with_suffix(".yaml").write_text(DESCRIPTION)
    with pytest.raises(
        BundleError, match=r"has 3 outputs.*Nor can its heads be decoded: .*--head box=conv0_0"
    ):
        decodable_file(model, describe_model(model), tmp_path)


def test_a_reference_of_the_bench_is_cut(model: Path, tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "bundle")
    reference, *_ = reference_candidates(bundle, model, None, tmp_path)
    assert (reference.name, len(reference.outputs)) == ("onnxruntime-cpu m.onnx", 3)
    assert cold_start(reference, 1).first_ms > 0  # in a process of its own
    detector = load_candidate(reference, 1, isolated=False)
    picture = read_picture(model.parent / "images" / "0.png")
    assert len(detector.detect(picture, detector.allocate(), 0.5)) == 3
    detector.engine.close()


def test_messages_name_the_file_of_the_user(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the engine sees is a file of the heads in a temporary folder."""
    made = exports.roles

    def with_wrong_stride(*arguments: object) -> tuple[OutputSpec, ...]:
        return tuple(one.model_copy(update={"stride": 4}) for one in made(*arguments))  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "roles", with_wrong_stride)
    said = (
        f"{model}: family yolox needs the outputs box, objectness, classes once for each of the strides 8; "
    )
    said += "the description lists others"
    line = mistake(capsys, 3, *command(model))
    assert line == said
    line = mistake(capsys, 4, *command(model, "--engine", "tflite"))
    assert line.startswith(f"{model}: tflite does not read onnx")
    reference, *_ = reference_candidates(cells.build_bundle(tmp_path / "bundle"), model, None, tmp_path)
    with pytest.raises(BundleError, match="the description lists others") as caught:
        load_candidate(reference, 1, isolated=False)
    assert str(caught.value) == said
    with pytest.raises(EngineError) as failed:
        cold_start(reference, 1)
    assert str(failed.value) == said


@pytest.mark.data
def test_picodet_as_it_is_exported(tmp_path: Path) -> None:
    model = shared("models", "picodet_s_320.onnx")
    description = describe_model(model, Path("models/picodet-s-320.yaml"))
    found = decodable_file(model, description, tmp_path)
    assert [output.role for output in found.outputs].count("box") == 4
