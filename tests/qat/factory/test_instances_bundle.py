"""A model for instances from its float model to a bundle, its checks, and its use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

import edgeagent
from edgeagent.accuracy.bundle_check import check_artefact
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.bundle.model_description import describe_model
from edgeagent.bundle.reading import Bundle, open_bundle
from edgeagent.datasets.yolo_labels import read_labels
from edgeagent.detection.detector import load_bundle_detector, load_detector
from edgeagent.detection.golden_check import GoldenCheck
from edgeagent.engines.loading import available_engines
from edgeagent.errors import BundleError, DataError
from edgeagent.qat.factory.bundle_recipe import BundleRecipe
from edgeagent.replay.session import replay_clip
from edgeagent.settings.schema import Settings
from edgeagent.vision.draw import draw
from edgeagent.vision.masks import Prototypes
from tests.cli.command import edgeagent as run_command
from tests.instances import PROTOTYPES, SIZE, disc_bundle, disc_model, disc_picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("instances")
    disc_bundle(made, ("onnx", "tflite"))
    return made


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return open_bundle(folder / "bundle")


@pytest.fixture
def session(folder: Path) -> Iterator[edgeagent.DetectorSession]:
    with edgeagent.open_detector(folder / "bundle", engine="onnxruntime", isolated=False) as opened:
        yield opened


def test_a_bundle_has_its_mask_map_in_every_engine(bundle: Bundle) -> None:
    first, *rows = bundle.manifest.evidence.measurements
    assert first.measure.title == "mask mAP50-95"
    assert first.accuracy > 0.7
    assert all(row.accuracy >= first.accuracy - 0.03 for row in rows)
    assert {row.artefact for row in rows} >= {"model.onnx", "model.tflite"}
    assert all(row.loss is not None and row.loss.mask_map50_95 is not None for row in rows)
    roles = [(output.role, output.stride) for output in bundle.manifest.artefacts[0].outputs]
    assert sorted(roles) == [("box", 32), ("classes", 32), ("mask", 32), ("prototypes", 4)]


def test_the_golden_set_claims_and_is_checked(bundle: Bundle) -> None:
    golden = bundle.manifest.golden
    assert golden is not None
    assert golden.accuracy is not None
    assert golden.accuracy.labelled_by == "float model"
    assert golden.accuracy.mask_map50_95 is not None
    assert min(golden.accuracy.claims.values()) > 0.8
    for name in golden.accuracy.labels.values():
        assert all(one is not None for one in read_labels(bundle.directory / name, 3).outlines)
    for engine in ("onnxruntime", "tflite", "openvino"):
        if engine in available_engines():
            artefact = bundle.manifest.artefacts[engine == "tflite"]
            found = check_artefact(bundle, artefact, engine, lambda line: None)
            assert found.accuracy is not None
            assert "mask mAP50-95" in found.accuracy


def test_masks_that_are_wrong_fail_the_golden_check(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs are those of the reference, but the masks are taken for what is around the objects."""
    artefact = bundle.manifest.artefacts[0]
    detector = load_bundle_detector(bundle, "onnxruntime", 1, IOU_THRESHOLD, artefact.file)
    assert GoldenCheck(bundle, artefact).run(detector.engine).right
    real = Prototypes.logits
    monkeypatch.setattr(Prototypes, "logits", lambda *given: -real(*given))
    result = GoldenCheck(bundle, artefact).run(detector.engine)
    detector.engine.close()
    assert result.outputs_right and not result.right


def test_masks_from_python(session: edgeagent.DetectorSession) -> None:
    picture, labelled = disc_picture(77, scale=2)
    found = session(picture)
    assert sorted(found.classes.tolist()) == sorted(index for index, _ in labelled)
    side = picture.shape[0]
    row, column = np.indices((side, side)) + 0.5
    for one in found:
        assert one.mask is not None
        mask = one.mask.in_picture()
        x1, y1, x2, y2 = one.box
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        disc = (column - x) ** 2 + (row - y) ** 2 <= 24**2
        assert (mask & disc).sum() / (mask | disc).sum() > 0.8
    assert found.to_supervision().mask is not None
    drawn = picture.copy()
    draw(drawn, found, session.labels)
    x1, y1, x2, y2 = (int(value) for value in found.boxes[0])
    middle = (y1 + y2) // 2, (x1 + x2) // 2
    assert (drawn[middle] != picture[middle]).any()


def test_eval_compares_with_the_float_model(folder: Path, tmp_path: Path) -> None:
    code, told, errors = run_command(
        "eval",
        "--bundle",
        folder / "bundle",
        "--dataset",
        folder / "val",
        "--against",
        folder / "discs.onnx",
        "--json-file",
        tmp_path / "found.json",
    )
    assert code == 0, errors
    assert "mask mAP50-95" in told
    assert "box mAP50-95" in told
    found = json.loads((tmp_path / "found.json").read_text())
    assert {"mask_map50_95", "map50_95"} <= found.keys()
    assert found["against"]["low"] <= found["against"]["mask_map50_95"] <= found["against"]["high"]


def test_training_with_labels_keeps_the_masks(folder: Path, tmp_path: Path) -> None:
    """Boxes are trained on labels, masks are distilled; no calibration is searched before."""
    result = edgeagent.quantize(
        folder / "discs.onnx",
        folder / "train" / "images",
        tmp_path / "bundle",
        labels=folder / "train" / "labels",
        val_dataset=folder / "val",
        formats=("onnx",),
        ptq="none",
        steps=12,
        recipe=BundleRecipe.model_validate({"tolerance": -1, "keep": "trained"}),
        compiled=False,
    )
    assert result.state == "qat"
    float_row, trained = result.accuracy[0], result.accuracy[-1]
    assert trained.accuracy >= float_row.accuracy - 0.05


def test_labels_without_outlines_are_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    for path in (folder / "val" / "labels").iterdir():
        (tmp_path / "labels" / path.name).write_text("1 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    with pytest.raises(DataError, match="only the box is known"):
        edgeagent.quantize(
            folder / "discs.onnx",
            folder / "train" / "images",
            tmp_path / "bundle",
            val_images=folder / "val" / "images",
            val_labels=tmp_path / "labels",
            quick=True,
        )
    assert not (tmp_path / "bundle.work").exists()


@pytest.mark.parametrize(
    ("prototypes", "cells", "sentence"),
    [
        (PROTOTYPES + 1, 32, "at stride 32 there are box, box, classes"),
        (PROTOTYPES, 30, "divided by no one stride"),
    ],
    ids=["other coefficients", "odd size"],
)
def test_a_float_model_that_does_not_fit_is_refused(
    prototypes: int, cells: int, sentence: str, folder: Path, tmp_path: Path
) -> None:
    model = disc_model(tmp_path / "discs.onnx", prototypes, cells)
    with pytest.raises(DataError, match=sentence):
        edgeagent.quantize(model, folder / "train" / "images", tmp_path / "bundle", quick=True)
    with pytest.raises(BundleError, match="prototypes"):
        load_detector(describe_model(model), model, "onnx", (), 1, IOU_THRESHOLD)


def test_class_masks_are_no_labels_of_objects(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "val" / "images").iterdir():
        cv2.imwrite(str(tmp_path / path.name), np.zeros((SIZE, SIZE), np.uint8))
    with pytest.raises(DataError, match="has a class for each pixel, and the model gives the pixels of each"):
        edgeagent.evaluate(folder / "bundle", folder / "val" / "images", tmp_path)


def test_the_bench_measures_masks(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    code, told, errors = run_command(
        "bench", "--bundle", folder / "bundle", "--dataset", folder / "val", "--engine", "onnxruntime",
        "--duration", 0.1, "--min-queries", 5, "--json-file", report,
    )  # fmt: skip
    assert code == 0, errors
    assert "mask mAP50-95" in told
    rows = json.loads(report.read_text())["rows"]
    assert all(row["mask_map50_95"] > 0.7 for row in rows)


def test_replay_follows_objects_and_tints_them(folder: Path, tmp_path: Path) -> None:
    picture, labelled = disc_picture(5, scale=2)
    clip = cv2.VideoWriter(
        str(tmp_path / "still.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, picture.shape[1::-1]
    )
    for _ in range(20):
        clip.write(picture)
    clip.release()
    settings = Settings.model_validate(
        {
            "device": "d",
            "model": {"bundle": str(folder / "bundle"), "engine": "onnxruntime"},
            "cameras": [{"name": "door", "source": "0"}],
            "state": str(tmp_path / "state"),
        }
    )
    summary = replay_clip(
        tmp_path / "still.mp4",
        settings,
        settings.cameras[0],
        out=tmp_path / "shown.mp4",
        begins=datetime(2030, 1, 1, 12),
    )
    assert sum(summary.objects.values()) == len(labelled)
    shown = cv2.VideoCapture(str(tmp_path / "shown.mp4"))
    frames = [shown.read()[1] for _ in range(20)]
    shown.release()
    change = frames[-1].astype(int) - picture
    for _, outline in labelled:
        x, y = np.mean(np.reshape(outline, (-1, 2)), axis=0) * picture.shape[1::-1]
        shift = change[int(y) - 6 : int(y) + 6, int(x) - 6 : int(x) + 6].mean(axis=(0, 1))
        assert np.abs(shift).max() > 10  # the coding of the clip moves no mean so far
    assert np.abs(np.median(change, axis=(0, 1))).max() < 6
