"""Objects, zones and lines from end to end: a real clip and broker, a lost camera, an outage, a stop."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeagent.cli import main
from edgeagent.daemon.scene_watch import SceneWatch
from edgeagent.errors import ConfigurationError
from edgeagent.files.resources import sample_clip
from edgeagent.settings.live.comparison import compare
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.clips import ClipSettings
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, running
from tests.included import QUICK_NAME


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def settings(port: int, source: Path | None = None, **more: Any) -> dict[str, Any]:
    camera = {
        "name": "yard",
        "source": str(source or sample_clip()),
        "zones": [{"name": "everywhere", "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]}],
        "lines": [{"name": "middle", "begin": [0.5, 0.0], "end": [0.5, 1.0]}],
    }
    return {
        "device": "board",
        "cameras": [camera],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu"},
        "mqtt": {"host": "127.0.0.1", "port": port, "retry_first": "1s", "retry_longest": "1s"},
        "telemetry": {"interval": "500ms"},
        **more,
    }


def objects(consumer: Consumer) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in consumer.payloads("objects/yard")]


def test_every_object_begins_and_ends_and_zones_count_it(broker: Mosquitto, tmp_path: Path) -> None:
    with Consumer(broker.port, "board") as consumer, running(tmp_path, settings(broker.port)) as daemon:
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new" and m["label"] == "person")
        state = consumer.wait_for("zones/yard", lambda m: m["zones"]["everywhere"]["occupied"])
        assert state["zones"]["everywhere"]["objects"]["person"] >= 1
        assert set(state["lines"]["middle"]) == {"crossed_in", "crossed_out"}
        consumer.wait_for("events/zone", lambda m: m["data"]["state"] == "occupied")
        assert daemon.stop() == 0, daemon.log()
        consumer.wait_for_status(b"stopped")
        told = objects(consumer)
        begun = {m["id"] for m in told if m["event"] == "new"}
        assert begun == {m["id"] for m in told if m["event"] == "end"}
        assert [m["sequence"] for m in told] == list(range(1, len(told) + 1))
        assert "Traceback" not in daemon.log()


def still_pictures(folder: Path, count: int) -> Path:
    """Return a folder that shows the same people all the time."""
    folder.mkdir()
    ok, frame = cv2.VideoCapture(str(sample_clip())).read()
    assert ok
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:03}.png"), frame)
    return folder


def test_people_who_stand_still_are_there_while_the_detector_rests(broker: Mosquitto, tmp_path: Path) -> None:
    # on a busy machine frames may be further apart than the tracks are kept by default
    wanted = settings(broker.port, still_pictures(tmp_path / "still", 60), tracking={"keep": "60s"})
    wanted["cameras"][0] |= {"fps": 10, "loop": True, "motion": {"hold": "1s", "detect_every": "2s"}}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new")
        report = consumer.wait_for(
            "telemetry", lambda m: m["cameras"]["yard"]["motion"]["detected"]["timer"] >= 6
        )["cameras"]["yard"]
        assert report["motion"]["frames_gated"] >= 1
        assert report["frames_processed"] >= report["motion"]["frames_gated"]
        assert report["objects"]["person"]["current"] >= 1
        assert not [m for m in objects(consumer) if m["event"] == "end"], "nobody has gone"
        assert daemon.stop() == 0, daemon.log()
        assert "Traceback" not in daemon.log()


def test_snapshots_are_stored_and_named(broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(broker.port, state=str(tmp_path / "state"))
    wanted["snapshots"] = {"publish": True, "keep_free": "1MB"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        begun = consumer.wait_for("objects/yard", lambda m: m["event"] == "new")
        assert "snapshot" not in begun  # not written yet
        jpeg = consumer.wait_for_bytes("snapshot/yard")
        assert daemon.stop() == 0, daemon.log()
        consumer.wait_for_status(b"stopped")
        ended = next(m for m in objects(consumer) if m["event"] == "end" and "snapshot" in m)
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and picture.shape == (576, 768, 3)
    stored = tmp_path / "state" / "snapshots" / ended["snapshot"]
    assert stored.read_bytes().startswith(b"\xff\xd8")
    assert stored.stat().st_mode & 0o077 == 0


def test_clips_are_stored_and_named_by_the_end(broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(broker.port, state=str(tmp_path / "state"))
    wanted["clips"] = {"keep_free": "1MB", "before": "1s", "after": "500ms", "longest": "4s"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new")
        deadline = time.monotonic() + PATIENCE
        while not list((tmp_path / "state" / "clips").rglob("*.mp4*")):
            assert time.monotonic() < deadline, daemon.log()
            time.sleep(0.1)
        assert daemon.stop() == 0, daemon.log()  # finishes what is being recorded
        consumer.wait_for_status(b"stopped")
        told = objects(consumer)
        begun = {m["id"] for m in told if m["event"] == "new"}
        assert begun == {m["id"] for m in told if m["event"] == "end"}
        assert "Traceback" not in daemon.log()
    ended = next(m for m in told if m["event"] == "end" and "clip" in m)
    stored = tmp_path / "state" / "clips" / ended["clip"]
    assert stored.stat().st_mode & 0o077 == 0
    capture = cv2.VideoCapture(str(stored))
    assert capture.read()[0]
    capture.release()
    assert not list((tmp_path / "state" / "clips").rglob("*.new"))


def test_objects_end_when_their_camera_is_lost(broker: Mosquitto, tmp_path: Path) -> None:
    pipe = tmp_path / "camera.avi"
    pipe.write_bytes(sample_clip().read_bytes())
    with (
        Consumer(broker.port, "board") as consumer,
        running(tmp_path, settings(broker.port, pipe)) as daemon,
    ):
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new")
        assert daemon.wait(3 * PATIENCE) == 0, daemon.log()  # the clip has ended
        told = objects(consumer)
        assert {m["id"] for m in told if m["event"] == "new"} == {
            m["id"] for m in told if m["event"] == "end"
        }
        last = json.loads(consumer.payloads("zones/yard")[-1])
        assert last["zones"]["everywhere"]["objects"] == {}


def test_without_a_tracker_nothing_is_said_about_objects(broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(broker.port, state=str(tmp_path / "state"), tracking={"tracker": "off"})
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        consumer.wait_for("detections/yard", lambda m: m["detections"])
        assert daemon.stop() == 0, daemon.log()
        topics = {topic for topic, _ in consumer.everything()}
        assert not {topic for topic in topics if topic.startswith(("objects/", "zones/"))}


def test_frigate_and_arming_from_end_to_end(broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(broker.port, state=str(tmp_path / "state"), frigate={"prefix": "nvr"})
    wanted["mqtt"]["commands"] = True
    wanted["snapshots"] = {"keep_free": "1MB"}
    with (
        Consumer(broker.port, "board") as consumer,
        Consumer(broker.port, "board", prefix="nvr/") as frigate,
        running(tmp_path, wanted) as daemon,
    ):
        daemon.wait_until_detecting()
        assert consumer.wait_for("armed", lambda m: m["armed"])["since"]
        new = frigate.wait_for("events", lambda m: m["type"] == "new")
        assert re.fullmatch(r"\d+\.\d{6}-[a-z0-9]{6}", new["after"]["id"])
        assert new["after"]["region"] == [0, 0, 768, 576]
        assert frigate.wait_for("reviews", lambda m: m["type"] == "new")["after"]["severity"] == "alert"
        label = new["after"]["label"]
        assert frigate.wait_for_bytes(f"yard/{label}/snapshot").startswith(b"\xff\xd8")
        assert int(frigate.wait_for_bytes(f"yard/{label}")) >= 1
        frigate.wait_for("everywhere/all", lambda number: number >= 1)
        consumer.publish("cmd", b'{"request_id": "d1", "command": "disarm"}')
        assert consumer.wait_for("reply", lambda m: m["request_id"] == "d1")["result"] == "disarmed"
        consumer.wait_for("armed", lambda m: not m["armed"])
        assert daemon.stop() == 0, daemon.log()
        frigate.wait_for("reviews", lambda m: m["type"] == "end")
        assert frigate.payloads("yard/all")[-1] == b"0"
        assert [p for p in frigate.payloads("available") if p != b"online"] == [b"stopped"]
        assert not json.loads((tmp_path / "state" / "armed.json").read_text())["armed"]
        assert "Traceback" not in daemon.log()


def test_hard_frames_are_kept_and_exported(broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(broker.port, state=str(tmp_path / "state"))
    wanted["hard_frames"] = {"low": 0.2, "high": 0.8, "every": "1s", "keep_free": "1MB"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new")
        deadline = time.monotonic() + PATIENCE
        while not list((tmp_path / "state" / "hard-frames" / "yard").glob("*.jpg")):
            assert time.monotonic() < deadline, daemon.log()
            time.sleep(0.1)
        assert daemon.stop() == 0, daemon.log()
    export = ["frames", "export", "--state", str(tmp_path / "state"), "--format", "coco"]
    assert main([*export, "--out", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert {(one["width"], one["height"]) for one in document["images"]} == {(768, 576)}
    assert any(0.2 <= one["score"] < 0.8 for one in document["annotations"])


def test_a_camera_without_a_stream_for_clips_is_refused_before_anything_starts(tmp_path: Path) -> None:
    yard = CameraSettings(name="yard", source=str(sample_clip()))
    before = Settings(cameras=(yard,), clips=ClipSettings(), state=tmp_path)
    usb = CameraSettings(name="usb", source="/dev/video9")
    watch = SceneWatch(before, ())
    with pytest.raises(ConfigurationError, match="usb"):
        watch.prepare(compare(before, before.model_copy(update={"cameras": (yard, usb)})))
    lane = usb.model_copy(update={"name": "lane", "source": str(sample_clip())})
    assert watch.prepare(compare(before, before.model_copy(update={"cameras": (yard, lane)}))) is not None
