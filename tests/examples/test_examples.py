"""The examples run as they are."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edgeagent.files.resources import sample_clip
from tests.broker import PATIENCE, Mosquitto
from tests.daemon.running import running
from tests.included import QUICK_BUNDLE

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    capture = cv2.VideoCapture(str(sample_clip()))
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), capture.read()[1])
    capture.release()
    return folder


def output(name: str, *arguments: str) -> list[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_the_robot_steers_towards_somebody() -> None:
    first, *lines = output(
        "robot_loop.py", "--clip", str(sample_clip()), "--frames", "6", "--bundle", str(QUICK_BUNDLE)
    )
    assert first.startswith("detecting with ")
    assert len(lines) == 6
    assert any(line.startswith("turn ") and -1 <= float(line.split()[1]) <= 1 for line in lines)


def test_the_tracks_of_a_clip_are_printed() -> None:
    quick = ("--bundle", str(QUICK_BUNDLE), "--engine", "onnxruntime")
    lines = output("track_clip.py", str(sample_clip()), "--frames", "10", *quick)
    people = [line for line in lines if line.startswith("person ")]
    assert people
    assert max(float(line.split()[-2]) for line in people) == pytest.approx(0.9, abs=0.5)


def test_a_custom_camera_goes_through_the_daemon(pictures: Path) -> None:
    lines = output("custom_camera.py", str(pictures), "--results", "3")
    assert len([line for line in lines if line.startswith("frame ")]) >= 3
    assert any("person" in line for line in lines)


def test_a_custom_camera_without_pictures_says_so(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "custom_camera.py"), str(tmp_path), "--results", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("no pictures here" in line for line in process.stderr)
        process.kill()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


def test_the_telemetry_consumer_shows_a_daemon(tmp_path: Path, broker: Mosquitto) -> None:
    settings = {
        "device": "board",
        "state": str(tmp_path / "state"),
        "cameras": [{"name": "door", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": str(QUICK_BUNDLE), "engine": "onnxruntime", "threads": 1},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "telemetry": {"interval": "1s"},
    }
    command = [sys.executable, str(EXAMPLES / "telemetry_consumer.py"), "127.0.0.1", str(broker.port)]
    with (
        running(tmp_path, settings),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as consumer,
    ):
        watchdog = threading.Timer(5 * PATIENCE, consumer.kill)
        watchdog.start()
        assert consumer.stdout is not None
        line = next((text for text in consumer.stdout if "frames/s" in text), "")
        watchdog.cancel()
        consumer.kill()
    assert line.startswith("board door: ")


def test_the_consumer_is_as_short_as_promised() -> None:
    lines = (EXAMPLES / "telemetry_consumer.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) <= 20
