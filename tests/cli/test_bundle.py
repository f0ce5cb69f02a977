from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edgeagent.cli import main
from edgeagent.files.resources import included_bundles
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE, edit
from tests.cli.command import edgeagent, mistake, the_line, wrong_use
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return cells.build_bundle(tmp_path / "tiny").directory


def test_a_good_bundle(tiny: Path, capsys: Capture) -> None:
    assert main(["bundle", "check", str(tiny)]) == 0
    first, artefact, golden, accuracy, verdict = capsys.readouterr().out.splitlines()
    assert first == "tiny 1.2.3: detection of 2 classes, Apache-2.0"
    size = (tiny / ARTEFACT).stat().st_size
    assert artefact == f"  {ARTEFACT}: onnx, grid a, {size} bytes, hash verified"
    assert golden.startswith("  onnxruntime ")
    assert golden.endswith(" gives the reference outputs: 0.00 steps off on average at worst, 2 allowed")
    assert accuracy == f"  the bundle claims no accuracy of {ARTEFACT} on golden pictures"
    assert verdict.startswith("tiny 1.2.3 can be used on this machine with onnxruntime ")


def test_claimed_accuracy_on_golden_pictures_is_measured(tmp_path: Path, capsys: Capture) -> None:
    cells.build_bundle(tmp_path / "tiny", claim=1.0)
    assert main(["bundle", "check", str(tmp_path / "tiny")]) == 0
    last = capsys.readouterr().out.splitlines()[-2]
    assert last.endswith("(labels by people), 1.000 claimed, 0.900 needed")
    half = cells.label_lines([*cells.CELLS, (0, 0), (4, 1)])
    directory = cells.build_bundle(tmp_path / "half", claim=1.0, truth=half).directory
    line = mistake(capsys, 3, "bundle", "check", directory)
    assert "is less accurate than claimed (mAP50-95 0.505 on the golden pictures" in line


def test_labels_without_objects_are_reported(tmp_path: Path, capsys: Capture) -> None:
    cells.build_bundle(tmp_path / "tiny", claim=1.0, truth="")
    assert main(["bundle", "check", str(tmp_path / "tiny")]) == 0
    assert "accuracy is not measured: the labels hold no object at all" in capsys.readouterr().out


def test_measurements_are_printed_as_claims(tmp_path: Path, capsys: Capture) -> None:
    claim = {"state": "qat", "method": "500 steps", "engine": "any", "map50_95": 0.25, "map50": 0.5}
    evidence = {"measurements": [{**claim, "images": 64, "data_sha256": "0" * 64}]}
    cells.build_bundle(tmp_path / "tiny", evidence=evidence)
    assert main(["bundle", "check", str(tmp_path / "tiny")]) == 0
    assert "  qat (500 steps) in any: mAP50-95 0.250 on 64 pictures, claimed\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(included_bundles()))
def test_an_included_bundle_passes_on_this_machine(name: str, capsys: Capture) -> None:
    assert main(["bundle", "check", str(included_bundles()[name]), "--engine", "onnxruntime"]) == 0
    assert "gives the reference outputs" in capsys.readouterr().out


def test_without_golden_pictures_there_is_nothing_to_compare(tmp_path: Path, capsys: Capture) -> None:
    cells.build_bundle(tmp_path / "tiny", golden=None)
    assert main(["bundle", "check", str(tmp_path / "tiny")]) == 0
    *_, last, verdict = capsys.readouterr().out.splitlines()
    assert last.endswith(" loads it; the bundle has no golden pictures")
    assert verdict == "tiny 1.2.3 loads on this machine; without golden pictures its outputs are not checked"


def test_an_engine_with_other_outputs(tmp_path: Path, capsys: Capture) -> None:
    directory = cells.build_bundle(tmp_path / "tiny", golden_error=0.25).directory
    line = mistake(capsys, 3, "bundle", "check", directory)
    assert line.startswith(f"{directory}: the outputs of onnxruntime ")
    assert "differ from the reference outputs (2.50 steps off on average at worst, 2 allowed)" in line


def test_the_tolerance_is_that_of_the_bundle(tmp_path: Path) -> None:
    golden = {"pictures": [PICTURE], "outputs": OUTPUTS, "tolerance": 3.0}
    directory = cells.build_bundle(tmp_path / "tiny", golden_error=0.25, golden=golden).directory
    assert main(["bundle", "check", str(directory)]) == 0


def test_as_many_golden_pictures_as_reference_outputs(tmp_path: Path, capsys: Capture) -> None:
    golden = {"pictures": [PICTURE, PICTURE], "outputs": OUTPUTS, "tolerance": 3.0}
    directory = cells.build_bundle(tmp_path / "tiny", golden=golden).directory
    line = mistake(capsys, 3, "bundle", "check", directory)
    assert "has 2 golden pictures but reference outputs of 1" in line


def test_a_missing_bundle(tmp_path: Path, capsys: Capture) -> None:
    line = mistake(capsys, 3, "bundle", "check", tmp_path / "absent")
    assert line == f"{tmp_path / 'absent'}: no such bundle directory; check the path"
    assert "no such bundle directory" in mistake(capsys, 3, "bundle", "check", __file__)
    assert "manifest.yaml is missing" in mistake(capsys, 3, "bundle", "check", tmp_path)


@pytest.mark.parametrize("name", [ARTEFACT, PICTURE, OUTPUTS])
def test_one_wrong_byte(tiny: Path, capsys: Capture, name: str) -> None:
    content = bytearray((tiny / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tiny / name).write_bytes(content)
    line = mistake(capsys, 3, "bundle", "check", tiny)
    assert line.startswith(f"{tiny}: {name} has the sha256 ")
    assert line.endswith("copy the bundle again")


def test_one_wrong_byte_of_coco_nano(tmp_path: Path, capsys: Capture) -> None:
    directory = tmp_path / "copy"
    shutil.copytree(QUICK_BUNDLE, directory)
    model = next(directory.glob("*.onnx"))
    content = bytearray(model.read_bytes())
    content[12345] ^= 0x80
    model.write_bytes(content)
    assert f"{model.name} has the sha256" in mistake(capsys, 3, "bundle", "check", directory)


def test_a_truncated_model(tiny: Path, capsys: Capture) -> None:
    os.truncate(tiny / ARTEFACT, 100)
    line = mistake(capsys, 3, "bundle", "check", tiny)
    assert line.startswith(f"{tiny}: {ARTEFACT} is 100 bytes, the manifest says ")


def test_a_model_that_is_a_directory(tiny: Path, capsys: Capture) -> None:
    (tiny / ARTEFACT).unlink()
    (tiny / ARTEFACT).mkdir()
    assert "is not a regular file" in mistake(capsys, 3, "bundle", "check", tiny)


def test_a_manifest_with_a_mistake(tiny: Path, capsys: Capture) -> None:
    edit(tiny, labels=[])
    assert "labels: " in mistake(capsys, 3, "bundle", "check", tiny)
    (tiny / "manifest.yaml").write_text("a: [1\nb: 2\n")
    assert f"{tiny / 'manifest.yaml'}: line 2: " in mistake(capsys, 3, "bundle", "check", tiny)


def test_an_engine_that_is_not_for_it(tiny: Path, capsys: Capture) -> None:
    line = mistake(capsys, 4, "bundle", "check", tiny, "--engine", "tflite")
    assert line == "bundle tiny 1.2.3 holds ['onnx']; the engine asked for ['tflite'] read none of them"
    assert "invalid choice: 'fast'" in wrong_use(capsys, "bundle", "check", tiny, "--engine", "fast")


def test_names_that_are_not_utf8(tiny: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"b-\xff")
    tiny.rename(odd)
    code, output, errors = edgeagent("bundle", "check", odd)
    assert (code, errors) == (0, "")
    assert "gives the reference outputs" in output
    (odd / ARTEFACT).unlink()
    code, output, errors = edgeagent("bundle", "check", odd)
    assert code == 3
    assert the_line(errors).endswith("is missing; copy the bundle again")


def test_no_engine_package_at_all(tiny: Path) -> None:
    code, _, errors = edgeagent(
        "bundle", "check", tiny, without="onnxruntime,openvino,ai_edge_litert,tflite_runtime"
    )
    assert code == 4
    assert "installed engines [] read none of them" in the_line(errors)
