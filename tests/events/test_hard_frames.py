"""Hard frames: which are kept, with what, what is hidden in them, and what becomes of them in an export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edgeagent.cli import main
from edgeagent.datasets.dataset import Dataset
from edgeagent.datasets.label_export import EXPORTS, export_labels
from edgeagent.errors import DataError
from edgeagent.events.hard_frame_files import read_hard_frames
from edgeagent.events.hard_frame_notes import SeenFrame
from edgeagent.events.hard_frames import HardFrames
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.hard_frames import HardFrameSettings
from edgeagent.vision.classification import Classification
from edgeagent.vision.detections import Detections
from tests.cli.command import mistake

LABELS = ("person", "car")
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
SECOND = 1_000_000_000


def found(*scores: float) -> Detections:
    """A person and cars of given scores, in the middle of 200 x 100 pixels."""
    boxes = np.tile(np.array([[50, 25, 150, 75]], np.float32), (len(scores), 1))
    classes = np.minimum(np.arange(len(scores)), 1).astype(np.int32)
    return Detections(boxes, np.array(scores, np.float32), classes, LABELS)


def picture() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)


@contextmanager
def keeping(folder: Path, **settings: object) -> Iterator[HardFrames]:
    """Keep frames, and write all that wait at the end."""
    frames = HardFrames(HardFrameSettings.model_validate(settings), folder, {"yard": (LEFT,)})
    frames.start()
    yield frames
    frames.stop(60.0)


def seen(camera: str, image: Image, utc_s: float, *scores: float) -> SeenFrame:
    return SeenFrame(camera, utc_s, image, found(*scores), "coco-nano 1.0.0")


def notes(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return document


def keep_two(folder: Path) -> Path:
    with keeping(folder, keep_free=1) as frames:
        frames.frame(seen("yard", picture(), 1_700_000_000.5, 0.9, 0.3), SECOND)
        frames.frame(seen("gate", picture(), 1_700_000_001.25, 0.4), SECOND)
    return folder


def test_only_frames_that_are_unsure_are_kept_and_few_of_them(tmp_path: Path) -> None:
    with keeping(tmp_path, cameras=["yard"], every=60.0, keep_free=1) as frames:
        frames.frame(seen("yard", picture(), 1.0, 0.9, 0.1), SECOND)
        frames.frame(seen("yard", picture(), 2.0), SECOND)
        frames.frame(seen("gate", picture(), 3.0, 0.3), SECOND)
        frames.frame(seen("yard", picture(), 4.0, 0.3), SECOND)
        frames.frame(seen("yard", picture(), 5.0, 0.3), 2 * SECOND)
    assert sorted(one.name for one in tmp_path.rglob("*.*")) == ["4.000000.jpg", "4.000000.json"]


@pytest.mark.parametrize(
    ("scores", "kept"),
    [((0.6, 0.4), 1), ((0.8, 0.2), 0), ((0.4, 0.2, 0.2, 0.2), 1), ((0.2,) * 5, 1), ((0.9, 0.1), 0)],
)
def test_a_classifier_is_unsure_by_its_best_classes(
    scores: tuple[float, ...], kept: int, tmp_path: Path
) -> None:
    classes = Classification(np.array(scores, np.float32), tuple(map(str, range(len(scores)))))
    with keeping(tmp_path, keep_free=1) as frames:
        frames.frame(SeenFrame("yard", 1.0, picture(), Detections.of_picture(classes), "m 1.0.0"), SECOND)
    assert len(list(tmp_path.rglob("*.jpg"))) == kept


def test_a_frame_is_kept_with_what_was_found_and_without_what_is_private(tmp_path: Path) -> None:
    keep_two(tmp_path)
    about = json.loads((tmp_path / "yard" / "1700000000.500000.json").read_text())
    assert (about["camera"], about["width"], about["height"]) == ("yard", 200, 100)
    assert [(one["label"], one["score"]) for one in about["objects"]] == [("person", 0.9), ("car", 0.3)]
    assert about["objects"][0]["box"] == [0.25, 0.25, 0.75, 0.75]
    kept = tmp_path / "yard" / "1700000000.500000.jpg"
    assert kept.stat().st_mode & 0o077 == 0
    image = cv2.imread(str(kept))
    assert image is not None
    assert image[:, :80].std() < 0.5 * image[:, 120:].std()


def test_the_reason_stands_with_each_frame(tmp_path: Path) -> None:
    with keeping(tmp_path, every=60.0, drift_every=600.0, keep_free=1) as frames:
        frames.disagreed(seen("yard", picture(), 1.0, 0.9), 0.5, SECOND)  # half of the boxes: not less
        frames.disagreed(seen("yard", picture(), 2.0, 0.9), 0.4, SECOND)
        assert frames.idle(60.0)
        frames.drift("gate", True)
        frames.frame(seen("gate", picture(), 3.0, 0.3), SECOND)
        frames.frame(seen("gate", picture(), 4.0, 0.9), 61 * SECOND)  # drift has its own pause
        assert frames.idle(60.0)
        frames.frame(seen("gate", picture(), 5.0, 0.9), 602 * SECOND)
        frames.drift("gate", False)
        frames.frame(seen("gate", picture(), 6.0, 0.9), 2000 * SECOND)
    names = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.jpg"))
    assert names == ["gate/3.000000.jpg", "gate/5.000000.jpg", "yard/2.000000.jpg"]
    assert notes(tmp_path, "yard/2.000000")["reasons"] == ["disagreement"]
    assert notes(tmp_path, "yard/2.000000")["model"] == "coco-nano 1.0.0"
    assert notes(tmp_path, "gate/3.000000")["reasons"] == ["low_confidence", "drift"]
    assert notes(tmp_path, "gate/5.000000")["reasons"] == ["drift"]


def test_reasons_that_are_not_wanted_keep_nothing(tmp_path: Path) -> None:
    with keeping(tmp_path, reasons=["feedback"], keep_free=1) as frames:
        frames.drift("yard", True)
        frames.frame(seen("yard", picture(), 1.0, 0.3), SECOND)
        frames.disagreed(seen("yard", picture(), 1.0, 0.3), 0.0, SECOND)
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_judged_frame_is_kept_with_what_the_judge_says(tmp_path: Path) -> None:
    with keeping(tmp_path, feedback_frames=2, keep_free=1) as frames:
        for number in range(3):
            frames.published(seen("yard", picture(), float(number), 0.9), number)
            assert frames.idle(60.0)
        for number in (0, 1, 2, 2):  # the first is forgotten, the last said twice
            frames.judged_wrong("yard", number, [("car", (20.0, 10.0, 100.0, 60.0))] if number == 1 else None)
    assert sorted(one.stem for one in tmp_path.rglob("*.jpg")) == ["1.000000", "2.000000"]
    said = notes(tmp_path, "yard/1.000000")
    assert said["reasons"] == ["feedback"]
    assert said["objects"] == [{"label": "car", "score": 1.0, "box": [0.1, 0.1, 0.5, 0.6]}]
    assert (said["width"], said["height"]) == (200, 100)
    image = cv2.imread(str(tmp_path / "yard" / "1.000000.jpg"))
    assert image is not None
    assert image[:, :80].std() < 0.5 * image[:, 120:].std()  # what is private is hidden here, too
    unsaid = notes(tmp_path, "yard/2.000000")
    assert unsaid["objects"] == [{"label": "person", "score": 0.9, "box": [0.25, 0.25, 0.75, 0.75]}]


def test_a_region_that_becomes_private_is_hidden_in_remembered_pictures(tmp_path: Path) -> None:
    right = tuple((x + 0.5, y) for x, y in LEFT)
    with keeping(tmp_path, feedback_frames=2, keep_free=1) as frames:
        frames.published(seen("yard", picture(), 1.0, 0.9), 1)
        frames.published(seen("gate", picture(), 2.0, 0.9), 1)
        assert frames.idle(60.0)
        frames.hide({"yard": (right,)})
        frames.judged_wrong("yard", 1, None)
        frames.judged_wrong("gate", 1, None)
    yard, gate = (cv2.imread(str(tmp_path / name)) for name in ("yard/1.000000.jpg", "gate/2.000000.jpg"))
    assert yard is not None
    assert gate is not None
    assert max(yard[:, :80].std(), yard[:, 120:].std()) < 0.5 * gate.std()  # what was hidden stays hidden
    about = notes(tmp_path, "yard/1.000000")
    assert (about["width"], about["height"]) == (200, 100)


def test_a_folder_that_cannot_be_written_costs_only_frames(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with keeping(tmp_path / "file") as frames:
        frames.frame(seen("yard", picture(), 1.0, 0.3), SECOND)
    assert "hard frames: " in caplog.text


def test_the_oldest_go_where_the_folder_is_full(tmp_path: Path) -> None:
    with keeping(tmp_path, every=1.0, keep_size=1_000_000, keep_free=1) as frames:
        for number in range(40):
            large = np.random.default_rng(number).integers(0, 256, (400, 400, 3), np.uint8)
            assert frames.idle(60.0)  # a frame that comes meanwhile is left out
            frames.frame(seen("yard", large, 1000.0 + number, 0.3), (2 * number + 1) * SECOND)
    kept = sorted(float(one.stem) for one in tmp_path.rglob("*.jpg"))
    assert kept[-1] == 1039.0
    assert kept[0] > 1000.0
    assert sum(one.stat().st_size for one in tmp_path.rglob("*.*")) <= 1_000_000


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_the_reader_of_data_sets_reads_what_is_exported(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    frames = read_hard_frames(keep_two(tmp_path / "frames"))
    assert export_labels(frames, kind, out) == LABELS
    data = Dataset.find(out / "annotations.json" if kind == "coco" else out).open(None, "val")
    assert [one.name for one in data.pictures] == sorted(one.name for one in frames)
    gate, yard = data.read(LABELS)
    assert (yard.classes.tolist(), gate.classes.tolist()) == ([0, 1], [0])
    assert np.allclose(yard.boxes, [[0.5, 0.5, 0.5, 0.5]] * 2, atol=1e-4)


@pytest.mark.parametrize("kind", sorted(EXPORTS))
def test_all_classes_of_the_model_are_exported_in_its_order(kind: str, tmp_path: Path) -> None:
    keep_two(tmp_path / "frames")
    with keeping(tmp_path / "frames", keep_free=1) as frames:  # of another model, and of a judge
        few = replace(found(), labels=("person", "horse"))
        frames.published(SeenFrame("yard", 1_700_000_002.0, picture(), few, "other 1.0.0"), 1)
        assert frames.idle(60.0)
        frames.judged_wrong("yard", 1, [("bus", (0.0, 0.0, 10.0, 10.0))])
    (tmp_path / "frames" / "gate" / "1700000001.250000.json").write_text(
        json.dumps({"width": 200, "height": 100, "objects": []})  # of an older agent
    )
    names = export_labels(read_hard_frames(tmp_path / "frames"), kind, tmp_path / "out")
    assert names == ("person", "car", "horse", "bus")
    files = [one.read_text() for one in (tmp_path / "out").iterdir() if one.is_file()]
    assert any(all(name in text for name in names) for text in files)


def test_cvat_has_pixels(tmp_path: Path) -> None:
    export_labels(read_hard_frames(keep_two(tmp_path / "frames")), "cvat", tmp_path / "out")
    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    assert [one.text for one in root.iter("name")] == ["person", "car"]
    first = root.find("image")
    assert first is not None
    assert first.attrib == {"id": "0", "name": "yard-1700000000_500000.jpg", "width": "200", "height": "100"}
    boxes = [(one.get("label"), one.get("xtl"), one.get("ybr")) for one in first.iter("box")]
    assert boxes == [("person", "50.00", "75.00"), ("car", "50.00", "75.00")]
    assert (tmp_path / "out" / "images" / "yard-1700000000_500000.jpg").is_file()


def test_the_command_exports_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep_two(tmp_path / "hard-frames")
    (tmp_path / "hard-frames" / "gate" / "1700000001.250000.json").write_text("{")
    where = ("frames", "export", "--state", tmp_path)
    out = tmp_path / "out"
    assert main([str(one) for one in (*where, "--format", "yolo", "--out", out, "--json")]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 1
    assert "something in it" in mistake(capsys, 6, *where, "--format", "coco", "--out", out)
    nothing = ("--state", tmp_path / "nothing", "--format", "coco", "--out", tmp_path / "x")
    assert "no frame was kept yet; an agent with hard" in mistake(capsys, 6, "frames", "export", *nothing)
    (tmp_path / "empty" / "hard-frames").mkdir(parents=True)
    with pytest.raises(DataError, match="no hard frame"):
        export_labels(read_hard_frames(tmp_path / "empty" / "hard-frames"), "coco", tmp_path / "y")
    assert set(EXPORTS) == {"coco", "yolo", "cvat", "label-studio"}


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected less than high"):
        HardFrameSettings(low=0.5, high=0.4)
