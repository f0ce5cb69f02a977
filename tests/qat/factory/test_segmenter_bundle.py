"""A segmenter from its float model to a bundle, its checks, and its use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import edgeagent
from edgeagent.accuracy.bundle_check import check_artefact
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.bundle.reading import open_bundle
from edgeagent.daemon.area_watch import AreaWatch
from edgeagent.datasets.labelled_pixels import labelled_pixels
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.detection.frame_result import Result
from edgeagent.engines.loading import available_engines
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.events.picture_class import ClassChange
from edgeagent.imaging.frame import Frame
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.factory.golden_section import GoldenPictures
from edgeagent.settings.schema import Settings
from tests.segmenter import LABELS, area_bundle, area_picture

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return area_bundle(tmp_path_factory.mktemp("segmenter"))


def test_a_bundle_has_its_miou_and_every_engine_gives_it(bundle_folder: Path) -> None:
    bundle = open_bundle(bundle_folder)
    first, *rows = bundle.manifest.evidence.measurements
    assert first.measure.title == "mIoU"
    assert first.accuracy > 0.8
    assert all(row.accuracy >= first.accuracy - 0.02 for row in rows)
    golden = bundle.manifest.golden
    assert golden is not None
    assert golden.accuracy is not None
    assert golden.accuracy.labelled_by == "float model"
    assert golden.accuracy.claims["model.onnx"] > 0.9
    for engine in ("onnxruntime", "openvino"):
        if engine in available_engines():
            found = check_artefact(bundle, bundle.manifest.artefacts[0], engine, lambda line: None)
            assert found.golden is not None
            assert "3 of 3 labelled pictures found" in found.golden


def test_pixels_are_those_of_the_picture(bundle_folder: Path) -> None:
    detector = load_bundle_detector(open_bundle(bundle_folder), "onnxruntime", 1, IOU_THRESHOLD)
    picture, corners = area_picture(2, 55, (90, 200))
    found = detector.detect(picture, detector.allocate(), 0.1).named(detector.description.labels).class_map
    detector.engine.close()
    assert found is not None
    classes = found.in_picture()
    assert classes.shape == (90, 200)
    x1, y1, x2, y2 = corners[0], corners[1], corners[2], corners[5]
    assert (
        classes[round(y1 * 90) + 4 : round(y2 * 90) - 4, round(x1 * 200) + 8 : round(x2 * 200) - 8] == 3
    ).mean() > 0.95
    assert (classes[:, : max(1, round(x1 * 200) - 8)] == 0).mean() > 0.95
    area = (x2 - x1) * (y2 - y1)
    assert found.shares()["red"] == pytest.approx(area, abs=0.06)
    inside = [(x1 + 0.1, y1 + 0.1), (x2 - 0.1, y1 + 0.1), (x2 - 0.1, y2 - 0.1), (x1 + 0.1, y2 - 0.1)]
    assert found.shares(inside)["red"] > 0.9


def test_a_segmenter_is_opened_as_one(bundle_folder: Path, tmp_path: Path) -> None:
    pictures = [area_picture(index, 77 + index, (90, 200)) for index in range(3)]
    frames = [picture for picture, _ in pictures]
    state = tmp_path / "state"
    with edgeagent.open_segmenter(bundle_folder, engine="onnxruntime", threads=1, state=state) as segmenter:
        assert segmenter.labels == LABELS
        assert segmenter.facts.engine == "onnxruntime"
        streamed = [found for _, found in segmenter.stream(frames)]
        for index, (frame, corners) in enumerate(pictures):
            found = segmenter(frame)
            assert isinstance(found, edgeagent.ClassMap)
            assert found.labels == LABELS
            assert (found.in_picture() == streamed[index].in_picture()).all()
            assert found.in_picture().shape == (90, 200)
            x1, y1, x2, y2 = corners[0], corners[1], corners[2], corners[5]
            assert found.shares()[LABELS[index + 1]] == pytest.approx((x2 - x1) * (y2 - y1), abs=0.06)
            line = found.centre_line(LABELS[index + 1], (y1 + y2) / 2)
            assert line is not None
            assert line.offset == pytest.approx((x1 + x2) / 2 - 0.5, abs=0.03)
        with pytest.raises(DataError, match="expected"):
            segmenter(np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigurationError, match="open_segmenter needs a segmenter, coco-nano is a model"):
        edgeagent.open_segmenter("coco-nano")
    with pytest.raises(ConfigurationError, match="open_classifier needs a classifier, colour-map is a model"):
        edgeagent.open_classifier(bundle_folder)


def test_the_example_follows_a_strip(bundle_folder: Path, tmp_path: Path) -> None:
    clip, drawn, size = tmp_path / "strip.mp4", tmp_path / "drawn.mp4", (128, 96)
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"mp4v"), 10, size)
    for left in (16, 48, 80, None):
        frame = np.full((96, 128, 3), 100, np.uint8)
        if left is not None:
            frame[:, left : left + 32, 2] = 220
        writer.write(frame)
    writer.release()
    command = [sys.executable, "examples/lane_keeping.py", bundle_folder, "--clip", clip, "--label", "red"]
    command += ["--engine", "onnxruntime", "--draw", drawn]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *seen, last = [json.loads(text) for text in done.stdout.splitlines()]
    assert [one["offset"] for one in seen] == pytest.approx([-0.25, 0.0, 0.25], abs=0.03)
    assert [one["heading"] for one in seen] == pytest.approx([0, 0, 0], abs=8)
    assert last == {"offset": None, "heading": None}
    found = cv2.VideoCapture(str(drawn))
    assert (found.get(cv2.CAP_PROP_FRAME_COUNT), found.get(cv2.CAP_PROP_FRAME_WIDTH)) == (4, 128)
    found.release()


def test_boxes_are_no_labels_of_pixels(bundle_folder: Path, tmp_path: Path) -> None:
    folder = bundle_folder.parent / "val"
    for path in (folder / "labels").iterdir():
        (tmp_path / path.name).write_text("1 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    with pytest.raises(DataError, match="has an object of which only the box is known"):
        edgeagent.evaluate(bundle_folder, folder / "images", tmp_path)
    accuracy = edgeagent.evaluate(bundle_folder, dataset=folder)
    assert isinstance(accuracy, edgeagent.PixelAccuracy)
    assert accuracy.miou > 0.8
    assert set(accuracy.per_class) == {"background", "blue", "green", "red"}


def test_masks_count_as_the_polygons_that_they_are_drawn_from(bundle_folder: Path, tmp_path: Path) -> None:
    bundle, folder = open_bundle(bundle_folder), bundle_folder.parent / "val"
    names = bundle.manifest.labels
    polygons = LabelledPictures.find(folder / "images", folder / "labels")
    for picture, labels in zip(polygons.pictures, polygons.read(names), strict=True):
        classes = labelled_pixels(labels, names, read_picture(picture).shape[:2])
        cv2.imwrite(str(tmp_path / f"{picture.stem}.png"), classes)
    found = edgeagent.evaluate(bundle_folder, folder / "images", tmp_path)
    assert found == edgeagent.evaluate(bundle_folder, folder / "images", folder / "labels")
    masks = LabelledPictures.find(folder / "images", tmp_path)
    texts = GoldenPictures(masks.pictures, masks)._given(bundle.manifest)
    assert texts is not None
    given = [path.read_bytes().split()[0] for path in polygons.label_files if path is not None]
    assert [text.split()[0] for text in texts] == given


def test_a_zone_that_is_covered_is_told(bundle_folder: Path) -> None:
    detector = load_bundle_detector(open_bundle(bundle_folder), "onnxruntime", 1, IOU_THRESHOLD)
    buffers, told = detector.allocate(), list[tuple[str, str, ClassChange]]()
    corners = area_picture(0, 5)[1]
    zone = {"name": "mat", "polygon": [corners[index : index + 2] for index in (0, 2, 4, 6)]}
    wide = {"name": "room", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    settings = Settings.model_validate(
        {
            "device": "d",
            "cameras": [{"name": "door", "source": "0", "zones": [zone, wide]}],
            "objects": {"appear_after": "1s"},
            "model": {"score_threshold": 0.05},  # of the room, less than the background has
        }
    )
    watch = AreaWatch(settings, lambda *change: told.append(change))

    def frame(picture: np.ndarray[Any, Any], second: float) -> None:
        found = detector.detect(picture, buffers, 0.1).named(detector.description.labels)
        watch.frame(Result("door", Frame(picture, 1, int(second * 1e9), second), found, detector, 1))

    empty = np.full((96, 128, 3), 100, np.uint8)
    for second, picture in enumerate([empty, empty, area_picture(0, 5)[0], area_picture(0, 5)[0]]):
        frame(picture, float(second))
    detector.engine.close()
    assert [(camera, name, change.label, change.before) for camera, name, change in told] == [
        ("door", "mat", "background", None),
        ("door", "room", "background", None),
        ("door", "mat", "blue", "background"),
        ("door", "room", "blue", "background"),
    ]
    report = watch.take("door")
    assert report is not None
    assert report.zones["mat"].label == "blue"
    assert report.zones["mat"].shares["blue"] == pytest.approx(0.5, abs=0.1)
    assert watch.take("door") is None
