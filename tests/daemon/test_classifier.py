"""The daemon with a classifier: telemetry, the event ``label``, and what finds no objects."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.clip import ClipSource
from edgeagent.cli import main
from edgeagent.daemon.class_watch import ClassWatch
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.detection.frame_result import Result
from edgeagent.events.picture_class import ClassChange
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from tests.broker import Mosquitto
from tests.classifier import colour_picture
from tests.daemon.running import PATIENCE, Consumer, running

FPS = 10.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of red, then two of blue, with one green frame in the middle of each."""
    path = tmp_path_factory.mktemp("clip") / "colours.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for number in range(40):
        index = 1 if number in (10, 30) else 2 if number < 20 else 0
        writer.write(colour_picture(index, number))
    writer.release()
    return path


def test_the_class_of_a_camera_is_told_and_its_change_is_an_event(
    classifier_bundle: Path, clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted: dict[str, Any] = {
        "device": "board",
        "model": {"bundle": str(classifier_bundle), "engine": "onnxruntime"},
        "cameras": [
            {
                "name": "door",
                "source": str(clip),
                "zones": [{"name": "mat", "polygon": [[0, 0], [1, 0], [1, 1]]}],
            }
        ],
        "objects": {"appear_after": "600ms", "disappear_after": "60s"},
        "telemetry": {"interval": "500ms"},
        "hard_frames": {"folder": str(tmp_path / "hard"), "low": 0.05, "high": 0.8, "keep_free": "1MB"},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
    }
    with Consumer(broker.port, "board") as consumer:
        with running(tmp_path, wanted) as daemon:
            assert daemon.wait(5 * PATIENCE) == 0, daemon.log()
            log = daemon.log()
        first = consumer.wait_for("events/label", lambda m: "before" not in m["data"])
        second = consumer.wait_for("events/label", lambda m: "before" in m["data"])
        told = consumer.wait_for("telemetry", lambda m: shown(m).get("label") == "blue")
    assert first["data"]["label"] == "red"
    assert (second["data"]["label"], second["data"]["before"]) == ("blue", "red")
    assert second["data"]["score"] >= 0.4
    assert second["text"] == "camera door shows blue, before red"
    about = shown(told)
    assert about["since"]
    assert set(about["shares"]) <= {"red", "green", "blue"}
    assert (
        "a model for classification serves, which finds no objects: zones, feedback of hard_frames of the "
        "configuration have no effect" in log
    )
    kept = json.loads(next((tmp_path / "hard" / "door").glob("*.json")).read_bytes())
    assert (kept["reasons"], kept["labels"]) == (["low_confidence"], ["blue", "green", "red"])


def shown(telemetry: dict[str, Any]) -> dict[str, Any]:
    """What a message says of the class of the camera."""
    found: dict[str, Any] = telemetry["cameras"]["door"].get("classification") or {}
    return found


def test_another_model_begins_anew(classifier_bundle: Path) -> None:
    detector = load_bundle_detector(open_bundle(classifier_bundle), "onnxruntime", 1, 0.65)
    buffers, changes = detector.allocate(), list[ClassChange]()
    settings = Settings.model_validate(
        {"device": "d", "cameras": [{"name": "door", "source": "0"}], "objects": {"appear_after": "1s"}}
    )
    watch = ClassWatch(settings, lambda camera, change: changes.append(change))

    def frame(index: int, second: float, detector: Any = detector) -> None:
        picture = colour_picture(index, int(second))
        found = detector.detect(picture, buffers, 0.1).named(detector.description.labels)
        watch.frame(Result("door", Frame(picture, 1, int(second * 1e9), second), found, detector, 1))

    frame(0, 1)
    assert changes == []
    frame(0, 2)
    assert [change.label for change in changes] == ["blue"]
    report = watch.take("door")
    assert report is not None
    assert (report.label, report.newest, report.shares) == ("blue", "blue", {"blue": 1.0})
    assert watch.take("door") is None  # no frame since
    named = detector.description.model_copy(update={"labels": ("x", "y", "z")})
    other = dataclasses.replace(detector, description=named)
    frame(0, 3, other)
    frame(0, 4, other)
    assert [(change.label, change.before) for change in changes] == [("blue", None), ("x", None)]
    detector.engine.close()


def test_replay_tells_the_classes_of_a_clip(
    classifier_bundle: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out, events = tmp_path / "edgeagent.yaml", tmp_path / "out.mp4", tmp_path / "events.jsonl"
    config.write_text(
        yaml.safe_dump(
            {
                "device": "board",
                "state": str(tmp_path / "state"),
                "model": {"bundle": str(classifier_bundle), "engine": "onnxruntime"},
                "cameras": [{"name": "door", "source": "0"}],
                "objects": {"appear_after": "600ms"},
            }
        ),
        encoding="utf-8",
    )
    given = ["replay", str(clip), "-c", str(config), "--out", str(out), "--events", str(events), "--json"]
    assert main(given) == 0
    printed, said = capsys.readouterr()
    assert "camera door shows red" in said
    assert "camera door shows blue, before red" in said
    result = json.loads(printed)
    assert result["classes"] == {"red": 19, "green": 2, "blue": 19}
    rows = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows if row["topic"] == "events/label"] == ["red", "blue"]
    source = ClipSource(out)
    source.open()
    frame = source.read(None)
    source.close()
    assert frame is not None
    assert np.ptp(frame[-8:, :8].astype(int)) > 30  # the label in the corner
