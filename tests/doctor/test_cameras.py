from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edgeagent.doctor.cameras import check_cameras
from edgeagent.doctor.finding import ExaminedSystem, Finding
from tests.broker import free_port
from tests.doctor.trees import configured, without_actions


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/video0").touch()
    name = tmp_path / "sys/class/video4linux/video0/name"
    name.parent.mkdir(parents=True)
    name.write_text("HD Webcam C270\n", encoding="ascii")
    return tmp_path


def finding(root: Path, source: str) -> Finding:
    settings = configured(cameras=[{"name": "front", "source": source}])
    (found,) = check_cameras(ExaminedSystem(root, settings))
    return found


def test_cameras_of_the_board(tree: Path) -> None:
    assert without_actions(check_cameras(ExaminedSystem(tree))) == [
        ("camera video0", "ok", "/dev/video0 (HD Webcam C270)")
    ]
    (tree / "dev/video0").unlink()
    assert without_actions(check_cameras(ExaminedSystem(tree))) == [
        ("cameras", "not there", "no /dev/video*")
    ]


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("0", "ok"),
        ("/dev/video0", "ok"),
        ("1", "problem"),
        ("/dev/video7", "problem"),
        ("gstreamer:videotestsrc ! appsink", "ok"),
        ("picamera2:0", "problem"),
        ("no-such-clip.mp4", "problem"),
        (__file__, "ok"),
    ],
)
def test_configured_cameras(tree: Path, source: str, verdict: str) -> None:
    assert finding(tree, source).verdict == verdict


def test_a_stream_and_its_secret(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = finding(tree, f"rtsp://user:secret@127.0.0.1:{port}/main")
    assert found.verdict == "ok"
    assert "secret" not in found.found
    found = finding(tree, f"rtsp://user:secret@127.0.0.1:{free_port()}/main")
    assert found.verdict == "problem"
    assert "no connection (Connection refused)" in found.found
    assert "secret" not in found.found
