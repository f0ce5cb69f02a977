from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.clip import ClipSource
from edgeagent.cli import main
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.files.resources import sample_clip
from edgeagent.imaging.frame import Image
from tests.bundle.tiny import ARTEFACT, fields
from tests.cli.command import edgeagent, mistake, the_line, wrong_use
from tests.engines import cell_detector as cells
from tests.engines.onnx_graphs import FLOAT
from tests.included import QUICK_BUNDLE

Capture = pytest.CaptureFixture[str]
PLACES = (((2, 1), (6, 3)), ((0, 0),), (), ((4, 2), (1, 3)))


class Data:
    """Bundle, pictures and labels, initially valid."""

    def __init__(self, folder: Path) -> None:
        self.bundle = cells.build_bundle(folder / "tiny").directory
        self.images, self.labels = folder / "images", folder / "labels"
        self.images.mkdir()
        self.labels.mkdir()
        for number, place in enumerate(PLACES):
            (self.images / f"{number}.png").write_bytes(cells.png(cells.picture(place)))
            if place:
                (self.labels / f"{number}.txt").write_text(cells.label_lines(place))

    def arguments(self, *more: object) -> list[str]:
        folders = ("--images", self.images, "--labels", self.labels)
        return ["eval", *map(str, (*folders, *(more or ("--bundle", self.bundle))))]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def result(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_detector_that_is_always_right(data: Data, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "r.json"
    assert main([*data.arguments("--bundle", data.bundle), "--json-file", str(file), "--threads", "1"]) == 0
    first, person = capsys.readouterr().out.splitlines()
    assert first.startswith("mAP50-95 1.0000   mAP50 1.0000   4 pictures   onnxruntime ")
    assert person == "  person  1.000"
    measured = result(file)
    assert (measured["map50_95"], measured["map50"], measured["images"]) == (
        pytest.approx(1.0),
        pytest.approx(1.0),
        4,
    )
    assert measured["per_class"] == {"person": 1.0}
    assert measured["engine"].startswith("onnxruntime ")
    assert len(measured["data_sha256"]) == 64


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_artefact_in_an_engine_is_chosen(data: Data, capsys: Capture, engine: str) -> None:
    chosen = ("--bundle", data.bundle, "--artefact", ARTEFACT, "--engine", engine)
    assert main(data.arguments(*chosen)) == 0
    assert f"4 pictures   {engine} " in capsys.readouterr().out


def test_a_wrong_choice_of_artefact(data: Data, tmp_path: Path, capsys: Capture) -> None:
    line = mistake(capsys, 3, *data.arguments("--bundle", data.bundle, "--artefact", "other.onnx"))
    assert line == f"bundle tiny 1.2.3 has no artefact 'other.onnx'; it has {ARTEFACT}"
    chosen = ("--bundle", data.bundle, "--artefact", ARTEFACT, "--engine", "tflite")
    assert "tflite does not read onnx" in mistake(capsys, 4, *data.arguments(*chosen))
    model = _concatenated(tmp_path / "m.onnx")
    line = mistake(capsys, 2, *data.arguments("--model", model, "--like", data.bundle, "--artefact", "a"))
    assert line == "--artefact goes with --bundle"


def test_missed_objects_count(data: Data, tmp_path: Path) -> None:
    # half of the people are not at the labelled positions, and the tram is not detected
    (data.labels / "0.txt").write_text(cells.label_lines(((2, 1), (0, 3))))
    (data.labels / "3.txt").write_text(cells.label_lines(((4, 2), (7, 0))) + "1 .5 .5 .2 .2\n")
    file = tmp_path / "r.json"
    assert main([*data.arguments("--bundle", data.bundle), "--json-file", str(file)]) == 0
    measured = result(file)
    assert 0.2 < measured["per_class"]["person"] < 0.8
    assert measured["per_class"]["Straßenbahn"] == 0.0
    assert measured["map50"] == pytest.approx(measured["per_class"]["person"] / 2, abs=1e-3)


def test_a_detector_that_finds_nothing(data: Data, tmp_path: Path) -> None:
    for picture in data.images.iterdir():
        picture.write_bytes(cells.png(cells.picture(())))
    file = tmp_path / "r.json"
    assert main([*data.arguments("--bundle", data.bundle), "--json-file", str(file)]) == 0
    assert (result(file)["map50_95"], result(file)["per_class"]) == (0.0, {"person": 0.0})


def test_the_same_data_have_the_same_hash(data: Data, tmp_path: Path) -> None:
    hashes = []
    for number in range(3):
        if number == 2:
            (data.labels / "1.txt").write_text(cells.label_lines(((0, 1),)))
        file = tmp_path / f"{number}.json"
        assert main([*data.arguments("--bundle", data.bundle), "--json-file", str(file)]) == 0
        hashes.append(result(file)["data_sha256"])
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("like", [True, False])
def test_a_float_model(tmp_path: Path, capsys: Capture, like: bool) -> None:
    data = Data(tmp_path)
    model = _concatenated(tmp_path / "m.onnx")
    if not like:
        description = {k: v for k, v in fields().items() if k not in ("artefacts", "golden")}
        (tmp_path / "m.yaml").write_text(yaml.safe_dump(description))
    more = ("--like", data.bundle) if like else ()
    assert main(data.arguments("--model", model, *more)) == 0
    assert capsys.readouterr().out.startswith("mAP50-95 1.0000 ")


def test_a_float_model_with_weights_in_another_file_and_a_free_batch(tmp_path: Path, capsys: Capture) -> None:
    import onnx

    data = Data(tmp_path)
    model = onnx.load(str(_concatenated(tmp_path / "m.onnx")))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    path = tmp_path / "free.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert main(data.arguments("--model", path, "--like", data.bundle)) == 0
    assert capsys.readouterr().out.startswith("mAP50-95 1.0000 ")


def _concatenated(path: Path) -> Path:
    """Return the cell detector as a float export: one output of all cells, objectness and scores 0..1."""
    import onnx
    from onnx import helper

    model = onnx.load_model_from_string(cells.write_onnx(path, FLOAT).read_bytes())
    graph = model.graph
    rows = []
    for stride in cells.STRIDES:
        for role in ("objectness", "classes"):
            graph.node.append(helper.make_node("Sigmoid", [f"{role}_{stride}"], [f"s_{role}_{stride}"]))
        joined = [f"box_{stride}", f"s_objectness_{stride}", f"s_classes_{stride}"]
        graph.node.append(helper.make_node("Concat", joined, [f"head_{stride}"], axis=1))
        shape = helper.make_tensor(f"shape_{stride}", 7, [3], [1, 7, -1])
        graph.initializer.append(shape)
        graph.node.append(helper.make_node("Reshape", [f"head_{stride}", shape.name], [f"flat_{stride}"]))
        rows.append(f"flat_{stride}")
    graph.node.append(helper.make_node("Concat", rows, ["all"], axis=2))
    graph.node.append(helper.make_node("Transpose", ["all"], ["output"], perm=[0, 2, 1]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("output", FLOAT, (1, 40, 7)))
    path.write_bytes(model.SerializeToString())
    return path


def _frames(count: int) -> list[Image]:
    source = ClipSource(sample_clip())
    source.open()
    frames = []
    for number in range(10 * count):
        image = source.read(None)
        assert image is not None
        if number % 10 == 0:
            frames.append(image.copy())
    source.close()
    return frames


def test_coco_nano_agrees_with_itself(tmp_path: Path) -> None:
    """The labels are the model's own detections on frames of the sample clip."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    detector = load_bundle_detector(open_bundle(QUICK_BUNDLE), "onnxruntime", 1, 0.65)
    buffers = detector.allocate()
    for number, image in enumerate(_frames(4)):
        (images / f"{number}.png").write_bytes(cells.png(image))
        found = detector.detect(image, buffers, 0.3)
        size = np.array(image.shape[1::-1] * 2, np.float32)
        rows = np.concatenate(
            [found.boxes[:, :2] + found.boxes[:, 2:], found.boxes[:, 2:] - found.boxes[:, :2]], 1
        )
        rows = rows * np.float32([0.5, 0.5, 1, 1]) / size  # type: ignore[arg-type]
        lines = [
            f"{index} {' '.join(map(str, row))}\n" for index, row in zip(found.classes, rows, strict=True)
        ]
        (labels / f"{number}.txt").write_text("".join(lines))
    file = tmp_path / "r.json"
    folders = (
        "--images",
        str(images),
        "--labels",
        str(labels),
        "--json-file",
        str(file),
        "--engine",
        "onnxruntime",
    )
    assert main(["eval", "--bundle", str(QUICK_BUNDLE), *folders]) == 0
    measured = result(file)
    assert {"map50_95", "map50", "images", "engine", "per_class"} <= set(measured)
    assert measured["images"] == 4
    assert measured["per_class"]["person"] > 0.95
    assert measured["map50"] >= measured["map50_95"] > 0.9


def test_pictures_larger_than_the_input(data: Data, tmp_path: Path) -> None:
    for number, place in enumerate(PLACES):
        large = cv2.resize(cells.picture(place), (640, 320), interpolation=cv2.INTER_NEAREST)
        (data.images / f"{number}.png").write_bytes(cells.png(np.asarray(large, np.uint8)))
    file = tmp_path / "r.json"
    assert main([*data.arguments("--bundle", data.bundle), "--json-file", str(file)]) == 0
    assert result(file)["map50_95"] == pytest.approx(1.0)


def test_names_that_are_not_utf8(data: Data, tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff")
    for number in (0, 1):
        (data.images / f"{number}.png").rename(data.images / f"{odd}{number}.png")
        (data.labels / f"{number}.txt").rename(data.labels / f"{odd}{number}.txt")
    for name in ("bundle", "images", "labels"):
        path = getattr(data, name)
        setattr(data, name, path.rename(path.with_name(path.name + odd)))
    file = tmp_path / f"{odd}.json"
    code, output, errors = edgeagent(*data.arguments("--bundle", data.bundle), "--json-file", file)
    assert (code, errors) == (0, "")
    assert output.startswith("mAP50-95 1.0000 ")
    assert result(file)["images"] == 4
    (data.images / f"{odd}0.png").write_bytes(b"no picture")
    code, _, errors = edgeagent(*data.arguments("--bundle", data.bundle))
    assert code == 6
    assert r"\xff0.png cannot be decoded" in the_line(errors)


def test_threads_are_checked(data: Data, capsys: Capture) -> None:
    for count in (-1, 65):
        line = mistake(capsys, 2, *data.arguments("--bundle", data.bundle, "--threads", count))
        assert line == f"--threads: expected 0 to 64, got {count}"
    assert "invalid int value: 'two'" in wrong_use(capsys, *data.arguments("--threads", "two"))
