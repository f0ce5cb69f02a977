"""The daemon from end to end: a real clip, the default bundle, a real broker, real signals."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.camera.media import write_clip
from tests.daemon.running import PATIENCE, STOP_LIMIT, Consumer, running
from tests.included import QUICK_BUNDLE

FRAMES = 70


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the sample clip, with people in each."""
    path = tmp_path_factory.mktemp("clip") / "people.avi"
    reader = cv2.VideoCapture(str(sample_clip()))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (768, 576))
    for _ in range(FRAMES):
        ok, frame = reader.read()
        assert ok
        writer.write(frame)
    writer.release()
    reader.release()
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def settings(source: Path | str, port: int | None = None, **camera: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "device": "board",
        "cameras": [{"name": "yard", "source": str(source), **camera}],
        "telemetry": {"interval": "500ms"},
    }
    if port is not None:
        chosen["mqtt"] = {"host": "127.0.0.1", "port": port, "retry_first": "1s", "retry_longest": "1s"}
    return chosen


def test_a_clip_becomes_detections_and_telemetry(clip: Path, broker: Mosquitto, tmp_path: Path) -> None:
    with Consumer(broker.port, "board") as consumer:
        wanted = settings(clip, broker.port, pace="unthrottled")
        wanted["telemetry"]["detections_rate"] = 1000.0
        with running(tmp_path, wanted) as daemon:
            assert daemon.wait(5 * PATIENCE) == 0, daemon.log()  # engines are measured first
        consumer.wait_for_status(b"stopped")
        last = consumer.wait_for("telemetry", lambda m: m["cameras"]["yard"]["frames_processed"] == FRAMES)
        assert last["cameras"]["yard"]["frames_dropped"] == 0
        assert consumer.payloads("status") == [b"online", b"stopped"]
        found = consumer.wait_for("detections/yard", lambda m: True)
        info = consumer.wait_for("info", lambda m: True)
    assert (found["width"], found["height"]) == (768, 576)
    assert "person" in {item["label"] for item in found["detections"]}
    for item in found["detections"]:
        x1, y1, x2, y2 = item["box"]
        assert -1 <= x1 < x2 <= 769
        assert -1 <= y1 < y2 <= 577
    assert info["bundle"]["name"] == "coco-small"
    assert info["cameras"][0]["source"] == str(clip)


def test_signals_without_a_meaning_are_ignored(clip: Path, tmp_path: Path) -> None:
    with running(tmp_path, settings(clip, loop=True)) as daemon:
        daemon.wait_until_detecting()
        assert Path(f"/proc/{daemon.process.pid}/comm").read_text() == "edgeagent\n"
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            daemon.process.send_signal(number)
        assert daemon.stop() == 0, daemon.log()
        assert "SIGUSR1 is ignored" in daemon.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(
    clip: Path, broker: Mosquitto, tmp_path: Path, number: signal.Signals
) -> None:
    with Consumer(broker.port, "board") as consumer:
        with running(tmp_path, settings(clip, broker.port, loop=True)) as daemon:
            daemon.wait_until_detecting()
            consumer.wait_for_status(b"online")
            assert daemon.stop(number) == 0
            daemon.wait_for_notification("STOPPING=1")
            assert "Traceback" not in daemon.log()
        consumer.wait_for_status(b"stopped")


def test_it_stops_in_time_while_a_camera_and_the_broker_hang(clip: Path, tmp_path: Path) -> None:
    """Both accept the connection and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as camera, socket.create_server(("127.0.0.1", 0)) as broker:
        wanted = settings(clip, broker.getsockname()[1], loop=True)
        wanted["cameras"].append(
            {"name": "gate", "source": f"rtsp://127.0.0.1:{camera.getsockname()[1]}/silent"}
        )
        with running(tmp_path, wanted) as daemon:
            daemon.wait_until_detecting()
            camera.settimeout(STOP_LIMIT * 10)
            camera.accept()
            assert daemon.stop() == 0


def test_killed_it_is_offline_by_its_will(clip: Path, broker: Mosquitto, tmp_path: Path) -> None:
    wanted = settings(clip, broker.port, loop=True)
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        consumer.wait_for_status(b"online")
        daemon.process.kill()
        consumer.wait_for_status(b"offline")


def test_without_a_broker_it_detects_and_connects_later(clip: Path, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        broker.stop()
        with running(tmp_path, settings(clip, broker.port, loop=True)) as daemon:
            daemon.wait_until_detecting()
            broker.start()
            with Consumer(broker.port, "board") as consumer:
                consumer.wait_for_status(b"online")
                first = consumer.wait_for("telemetry", lambda m: m["sequence"] == 1)
                assert first["cameras"]["yard"]["frames_captured"] >= 0
            assert daemon.stop() == 0
            assert "Connection refused" in daemon.log()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.mp4", None, "No such file"),
        ("text.mp4", b"this is no clip\n" * 1000, "cannot be played"),
        ("empty.mp4", b"", "cannot be played"),
    ],
)
def test_a_clip_that_cannot_be_read_is_lost_with_its_reason(
    broker: Mosquitto, tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with (
        Consumer(broker.port, "board") as consumer,
        running(tmp_path, settings(path, broker.port)) as daemon,
    ):
        message = consumer.wait_for("telemetry", lambda m: m["cameras"]["yard"]["state"] == "lost")
        assert reason in message["cameras"]["yard"]["last_error"]
        assert name in message["cameras"]["yard"]["last_error"]
        assert message["cameras"]["yard"]["fps_in"] == 0
        assert daemon.stop() == 0


def test_a_truncated_clip_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = sample_clip().read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 8])
    with running(tmp_path, settings(cut, pace="unthrottled")) as daemon:
        assert daemon.wait() == 0
        assert "of 400 frames: it is truncated or damaged" in daemon.log()


def test_one_camera_that_never_opens_does_not_stop_the_other(
    clip: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(clip, broker.port, loop=True)
    wanted["cameras"].append({"name": "gate", "source": "/dev/video250"})
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        message = consumer.wait_for(
            "telemetry",
            lambda m: (
                m["cameras"]["gate"]["state"] == "lost" and m["cameras"]["yard"]["frames_processed"] > 0
            ),
        )
        assert "/dev/video250" in message["cameras"]["gate"]["last_error"]
        alarm = consumer.wait_for(
            "alarm", lambda m: any(each["code"] == "camera_lost" for each in m["problems"])
        )
        (problem,) = [each for each in alarm["problems"] if each["code"] == "camera_lost"]
        assert problem["camera"] == "gate"
        assert "/dev/video250" in problem["text"]
        assert daemon.stop() == 0


def test_a_damaged_bundle_starts_nothing(clip: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    for file in QUICK_BUNDLE.rglob("*"):
        target = bundle / file.relative_to(QUICK_BUNDLE)
        if file.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    model = bundle / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1000])
    wanted = settings(clip)
    wanted["model"] = {"bundle": str(bundle)}
    with running(tmp_path, wanted) as daemon:
        assert daemon.wait() == 3
        (line,) = daemon.log().splitlines()
    assert line.startswith("edgeagent: ")
    assert "model.onnx" in line


def test_a_mistake_in_the_configuration_starts_nothing(clip: Path, tmp_path: Path) -> None:
    wanted = settings(clip)
    wanted["telemetry"]["interval"] = "soon"
    with running(tmp_path, wanted) as daemon:
        assert daemon.wait() == 2
        (line,) = daemon.log().splitlines()
    assert "edgeagent.yaml:" in line
    assert "telemetry.interval: expected a duration" in line


def test_it_runs_without_a_broker_configured(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "grey.avi", frames=5)
    with running(tmp_path, settings(clip, pace="unthrottled")) as daemon:
        assert daemon.wait() == 0, daemon.log()
