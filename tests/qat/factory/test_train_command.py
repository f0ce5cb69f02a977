"""The factory through ``edgeagent qat train``, on a small network."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from edgeagent.bundle.evidence import BOXES, PARITY, SEEDS, SENSITIVITY, TRAINING
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import open_bundle
from edgeagent.cli import main
from edgeagent.detection.detector import load_detector
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.factory.baseline import is_within_tolerance
from tests.qat.detectors import BINS, yolov8_like
from tests.small_disk import on_small_disk

STEPS = 4
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # a second thread only costs on a network this small


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        *("-m", "edgeagent", "qat", "train", "--no-compile"),
        *("--model", str(data / "small.onnx"), "--images", str(data / "pictures"), "--out", str(out)),
        *("--steps", str(STEPS), "--batch", "4", "--format", "onnx", "--keep", "trained"),
        *more,
    ]


def train(data: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(data, out, *more), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def calm(data: Path, folder: Path) -> Path:
    """Return a copy of the data whose network hardly moves the boxes from their cells, on any processor."""
    shutil.copytree(data, folder)
    description = folder / "small.yaml"
    values = yaml.safe_load(description.read_text(encoding="utf-8"))
    values["input"]["std"] = [1000.0] * 3
    description.write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def hashes(bundle: Path) -> dict[str, str]:
    return {
        str(path.relative_to(bundle)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(bundle.rglob("*"))
        if path.is_file()
    }


def test_pictures_and_a_model_become_a_bundle_with_evidence(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    data = calm(data, tmp_path / "data")
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(data / "labels"))
    more = ("--golden", str(data / "golden"), "--format", "tflite", "--tolerance", "-1")
    done = train(data, out, *validation, *more)
    assert done.returncode == 0, done.stderr
    assert f"{STEPS}/{STEPS}" in done.stderr
    assert "model.onnx: " in done.stderr
    bundle = open_bundle(out)
    onnx, tflite = bundle.manifest.artefacts
    assert onnx.operators is not None
    assert tflite.operators is not None
    assert onnx.operators.integer["QLinearConv"] == 13
    assert not any("Conv" in name for name in onnx.operators.float)
    assert tflite.operators.integer["CONV_2D"] + tflite.operators.integer["DEPTHWISE_CONV_2D"] == 13
    assert tflite.operators.float == {}
    evidence = bundle.manifest.evidence
    states = [item.state for item in evidence.measurements]
    assert states == ["float", *["ptq"] * (len(states) - 5), *["qat"] * 4]
    engines = [item.engine.split()[0] for item in evidence.measurements[-4:]]
    assert engines == ["torch", "onnxruntime", "openvino", "tflite"]
    assert {item.artefact for item in evidence.measurements[-4:]} == {None, "model.onnx", "model.tflite"}
    training = TRAINING.read(bundle)
    assert training is not None
    assert [point.step for point in training] == [1, 2, 3, 4]
    parity = PARITY.read(bundle)
    assert parity is not None
    assert {(one.file, one.engine.split()[0]) for one in parity} == {
        ("model.onnx", "onnxruntime"),
        ("model.onnx", "openvino"),
        ("model.tflite", "tflite"),
    }
    boxes = BOXES.read(bundle)
    assert boxes is not None
    assert [(one.picture, one.state) for one in boxes] == [("golden/0.png", "float"), ("golden/0.png", "qat")]
    assert {item.images for item in evidence.measurements} == {8}
    original, *others = evidence.measurements
    assert original.loss is None
    for item in others:
        assert item.loss is not None
        assert item.loss.map50_95 == pytest.approx(original.accuracy - item.accuracy, abs=2e-4)
        assert item.loss.low <= item.loss.high
    assert evidence.recipe["steps"] == STEPS
    assert "8 pictures" in (out / "card.md").read_text(encoding="utf-8")
    for engine in ("onnxruntime", "tflite"):
        assert main(["bundle", "check", str(out), "--engine", engine]) == 0


@pytest.mark.parametrize(
    ("best", "tolerance", "enough"), [(0.296, 0.005, True), (0.294, 0.005, False), (0.296, -1.0, False)]
)
def test_calibration_is_enough_where_it_loses_little(best: float, tolerance: float, enough: bool) -> None:
    assert is_within_tolerance(0.3, best, tolerance) is enough


def test_a_float_model_that_finds_nothing_tells_nothing() -> None:
    assert not is_within_tolerance(0.0, 0.0, 1.0)
    assert not is_within_tolerance(None, None, 1.0)


@pytest.fixture(scope="module")
def own_labels(data: Path) -> Path:
    """Labels that the float model itself finds, so that it scores well on them."""
    folder = data / "own-labels"
    folder.mkdir()
    description = describe_model(data / "small.onnx")
    detector = load_detector(description, data / "small.onnx", "onnx", (), 1, 0.65)
    buffers = detector.allocate()
    for path in sorted((data / "pictures").iterdir()):
        picture = read_picture(path)
        height, width = picture.shape[:2]
        best = detector.detect(picture, buffers, 0.01)
        sides = best.boxes[:, 2:] - best.boxes[:, :2]
        best = best.take(np.asarray((sides >= 1).all(axis=1)))
        lines = []
        for kind, (x0, y0, x1, y1) in list(zip(best.classes, best.boxes, strict=True))[:5]:
            centre = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height
            size = (x1 - x0) / width, (y1 - y0) / height
            lines.append(" ".join(map(str, (int(kind), *centre, *size))))
        (folder / f"{path.stem}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_a_training_that_is_worse_than_calibration_is_not_kept(
    data: Path, own_labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(own_labels))
    done = train(data, out, *validation, "--tolerance", "-1", "--rate", "3", "--keep", "better")
    assert done.returncode == 0, done.stderr
    assert "training makes the model worse (mAP50-95 " in " ".join(done.stderr.split())
    evidence = open_bundle(out).manifest.evidence
    calibrated = [row.accuracy for row in evidence.measurements if row.state == "ptq"]
    (trained,) = [row for row in evidence.measurements if row.state == "qat" and "onnx" in row.engine]
    shipped = next(row for row in reversed(evidence.measurements) if row.artefact == "model.onnx")
    assert shipped.state == "ptq"
    assert shipped.map50_95 == max(calibrated) > trained.accuracy
    assert "training not kept: 4 steps of 4 pictures gave mAP50-95 " in evidence.recipe["method"]
    assert TRAINING.read(open_bundle(out)) is None


def test_a_symmetric_network_is_never_worse_than_its_calibration(
    data: Path, own_labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(own_labels))
    command_line = command(data, out, *validation)
    command_line[command_line.index("onnx")] = "onnx-b"
    more = ("--tolerance", "-1", "--rate", "3", "--keep", "better", "--ptq", "fast")
    done = subprocess.run(
        [*command_line, *more], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    evidence = open_bundle(out).manifest.evidence
    rows = [row for row in evidence.measurements if row.state == "ptq"]
    *calibrated, shipped = [row for row in rows if row.artefact == "model.tensorrt.onnx"]
    assert len(calibrated) == 3
    assert all(row.method.endswith(", symmetric grid") for row in calibrated)
    assert shipped.map50_95 == max(row.accuracy for row in calibrated)
    assert "training not kept: 4 steps of 4 pictures gave mAP50-95 " in evidence.recipe["method"]


def test_without_labels_the_output_error_decides(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    done = train(data, out, "--rate", "3", "--keep", "better")
    assert done.returncode == 0, done.stderr
    assert "training makes the model worse (output error " in " ".join(done.stderr.split())
    assert main(["bundle", "check", str(out)]) == 0
    kept = tmp_path / "kept"
    assert train(data, kept).returncode == 0
    recipe = open_bundle(kept).manifest.evidence.recipe
    assert recipe["steps"] == STEPS
    assert recipe["start"] == open_bundle(out).manifest.evidence.recipe["method"].split(", training")[0]


def test_training_is_left_out_where_calibration_is_enough(
    data: Path, own_labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(own_labels))
    done = train(data, out, *validation, "--tolerance", "1")
    assert done.returncode == 0, done.stderr
    assert "no training is needed" in " ".join(done.stderr.split())
    evidence = open_bundle(out).manifest.evidence
    float_row, *rows = evidence.measurements
    assert float_row.accuracy > 0.5
    assert evidence.recipe["method"].endswith("no training")
    *candidates, kept = [row for row in rows if row.engine.startswith("onnxruntime")]
    assert {row.state for row in rows} == {"ptq"}
    assert kept.map50_95 == max(row.accuracy for row in candidates)
    assert "evidence/training.json" not in evidence.files


def test_labels_that_tell_nothing_do_not_leave_training_out(data: Path, tmp_path: Path) -> None:
    """The labels here are arbitrary: the float model and every calibration score 0."""
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(data / "labels"))
    done = train(data, tmp_path / "bundle", *validation)
    assert done.returncode == 0, done.stderr
    assert "the float model finds nothing" in " ".join(done.stderr.split())
    states = [item.state for item in open_bundle(tmp_path / "bundle").manifest.evidence.measurements]
    assert states[0] == "float"
    assert states[-1] == "qat"


def test_the_same_seed_gives_the_same_bundle_and_another_seed_another(data: Path, tmp_path: Path) -> None:
    seeds = {"one": "0", "same": "0", "other": "1"}
    found = {}
    for name, seed in seeds.items():
        done = train(data, tmp_path / name, "--seed", seed)
        assert done.returncode == 0, done.stderr
        found[name] = hashes(tmp_path / name)
    assert found["one"] == found["same"]
    assert found["one"]["model.onnx"] != found["other"]["model.onnx"]


def test_killed_and_resumed_it_gives_the_same_bundle(data: Path, tmp_path: Path) -> None:
    more = ("--steps", "60")  # the first checkpoint comes at 50
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(data, whole, *more).returncode == 0
    with subprocess.Popen(command(data, parts, *more), env=ENVIRONMENT, stderr=subprocess.DEVNULL) as running:
        try:
            checkpoint = tmp_path / "parts.work" / "checkpoint.pt"
            deadline = time.monotonic() + 120
            while not checkpoint.exists():
                assert time.monotonic() < deadline
                with pytest.raises(subprocess.TimeoutExpired):
                    running.wait(0.05)
        finally:
            running.kill()
    assert not parts.exists()
    resumed = train(data, parts, *more, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert hashes(parts) == hashes(whole)


def test_a_full_disk_ends_in_one_sentence(data: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    full = on_small_disk(disk, "120k", command(data, disk / "bundle", "--ptq", "none"))
    assert full.returncode == 1
    assert "Traceback" not in full.stderr
    assert "checkpoint.pt: cannot be written (No space left on device)" in full.stderr.splitlines()[-1]


def test_labels_join_the_training_and_the_record(data: Path, tmp_path: Path) -> None:
    done = train(data, tmp_path / "bundle", "--labels", str(data / "labels"))
    assert done.returncode == 0, done.stderr
    recipe = open_bundle(tmp_path / "bundle").manifest.evidence.recipe
    assert recipe["labelled_pictures"] == 8
    assert recipe["supervised_weight"] > 0
    assert "labels" in recipe["method"]


def test_labels_train_a_yolov8_too(data: Path, tmp_path: Path) -> None:
    description = yaml.safe_load((data / "small.yaml").read_text(encoding="utf-8"))
    description["decoder"] = {"family": "yolov8", "strides": [8, 16], "reg_max": BINS}
    model, described = yolov8_like(tmp_path / "m.onnx"), tmp_path / "m.yaml"
    described.write_text(yaml.safe_dump(description), encoding="utf-8")
    out = tmp_path / "bundle"
    done = train(data, out, "--model", str(model), "--labels", str(data / "labels"))
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(out)
    assert bundle.manifest.evidence.recipe["labelled_pictures"] == 8
    assert "labels" in bundle.manifest.evidence.recipe["method"]
    steps = TRAINING.read(bundle)
    assert steps is not None
    without = tmp_path / "without"
    assert train(data, without, "--model", str(model)).returncode == 0
    plain = TRAINING.read(open_bundle(without))
    assert plain is not None
    assert len(steps) == len(plain) == STEPS
    assert steps[0].loss > plain[0].loss


def test_a_bundle_is_replaced_only_when_asked(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    assert train(data, out).returncode == 0
    before = hashes(out)
    refused = train(data, out, "--seed", "1")
    assert refused.returncode == 2
    assert "--replace" in refused.stderr
    assert hashes(out) == before
    assert train(data, out, "--seed", "1", "--replace").returncode == 0
    assert hashes(out) != before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--model", "missing.onnx"), "missing.onnx"),
        (("--images", "empty"), "empty: no pictures here"),
        (("--val-images", "pictures"), "belong together"),
        (("--labels", "pictures"), "no labels of the training pictures"),
        (("--resume",), "no checkpoint to resume from"),
    ],
)
def test_mistakes_end_in_one_sentence(
    data: Path, tmp_path: Path, change: tuple[str, ...], sentence: str
) -> None:
    (data / "empty").mkdir(exist_ok=True)
    name, *values = change
    if name == "--model":
        description = tmp_path / "missing.yaml"
        description.write_bytes((data / "small.yaml").read_bytes())
        values = [str(tmp_path / "missing.onnx")]
    else:
        values = [str(data / value) for value in values]
    done = train(data, tmp_path / "bundle", name, *values)
    assert done.returncode in (2, 6)
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr.splitlines()[-1]
    assert not (tmp_path / "bundle").exists()


def test_a_recipe_makes_artefacts_for_all_grids_and_tries_other_seeds(data: Path, tmp_path: Path) -> None:
    out, recipe = tmp_path / "bundle", tmp_path / "recipe.yaml"
    recipe.write_text(
        "training: {feature_weight: 0.5}\nseeds: [1, 2]\nformats: [onnx, onnx-b, onnx-c]\ntensorrt_steps: 2\n"
    )
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(data / "labels"))
    more = ("--recipe", str(recipe), "--golden", str(data / "golden"))
    done = train(data, out, *validation, *more, "--format", "onnx-b", "--format", "onnx-c")
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(out)
    assert [(item.file, item.grid) for item in bundle.manifest.artefacts] == [
        ("model.onnx", "a"),
        ("model.tensorrt.onnx", "b"),
        ("model.openvino.onnx", "c"),
    ]
    artefacts = bundle.manifest.artefacts
    assert len({bundle.golden_outputs(artefact) for artefact in artefacts}) == len(artefacts)
    rows = bundle.manifest.evidence.measurements
    assert {row.engine.split()[0] for row in rows if row.artefact == artefacts[2].file} == {"openvino"}
    seeds = SEEDS.read(bundle)
    assert seeds is not None
    assert {one.seed for one in seeds} == {0, 1, 2}
    assert bundle.manifest.evidence.recipe["feature_weight"] == 0.5
    assert main(["bundle", "check", str(out)]) == 0


def test_another_activation_is_trained_in_float_first(data: Path, tmp_path: Path) -> None:
    out, recipe = tmp_path / "bundle", tmp_path / "recipe.yaml"
    recipe.write_text("activation_steps: 10\n")
    done = train(data, out, "--activation", "relu", "--recipe", str(recipe))
    assert done.returncode == 0, done.stderr
    (artefact,) = open_bundle(out).manifest.artefacts
    assert artefact.operators is not None
    assert "QLinearSigmoid" not in artefact.operators.integer
    assert artefact.operators.integer["QLinearConv"] == 13
    assert open_bundle(out).manifest.evidence.recipe["activation"] == "relu"


def test_two_processes_make_one_bundle(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, *command(data, out)[1:]], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert main(["bundle", "check", str(out)]) == 0
    assert done.stderr.count("bundle: ") == 1


def test_layers_are_left_in_float_where_integers_lose_too_much(
    data: Path, own_labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(own_labels))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("budget: {integer_macs: 0.5, steps: 2}")
    budget = ("--tolerance", "-1", "--lose-at-most", "0", "--recipe", str(recipe))
    done = train(data, out, *validation, *budget)
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(out)
    (artefact,) = bundle.manifest.artefacts
    assert artefact.operators is not None
    assert "nodes left in float" in " ".join(done.stderr.split())
    assert sum(count for name, count in artefact.operators.float.items() if "Conv" in name) > 0
    assert artefact.operators.integer["QLinearConv"] > 0
    layers = SENSITIVITY.read(bundle)
    assert layers is not None
    assert len(layers) == 13
    assert [layer.error for layer in layers] == sorted((layer.error for layer in layers), reverse=True)


def test_where_layers_in_float_are_not_enough_it_is_trained_on_with_them(
    data: Path, own_labels: Path, tmp_path: Path
) -> None:
    out, recipe = tmp_path / "bundle", tmp_path / "recipe.yaml"
    recipe.write_text("seeds: [1]\nbudget: {lose_at_most: 0, integer_macs: 0.95, steps: 2}")
    validation = ("--val-images", str(data / "pictures"), "--val-labels", str(own_labels))
    done = train(data, out, *validation, "--tolerance", "-1", "--recipe", str(recipe))
    assert done.returncode == 0, done.stderr
    assert "do not bring the loss of accuracy down to 0;" in " ".join(done.stderr.split())
    evidence = open_bundle(out).manifest.evidence
    rows = [item for item in evidence.measurements if ", 2 more with " in item.method]
    assert {item.seed for item in rows} == {0, 1}
    assert {item.artefact for item in rows} == {"model.onnx"}
    (artefact,) = open_bundle(out).manifest.artefacts
    assert artefact.operators is not None
    assert 0 < sum(count for name, count in artefact.operators.float.items() if "Conv" in name) < 13
