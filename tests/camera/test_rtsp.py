"""Real RTSP camera that is killed, stalls, changes its size and returns on the same port."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeagent.camera.capture import Camera
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.consumer import WAIT_S, frames_of, wait_for_failures

_SYSTEM_PYTHON = "/usr/bin/python3"
_SERVER = Path(__file__).with_name("rtsp_server.py")
_INSTALL = (
    "sudo apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
)
_PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


class RtspServer:
    """Server process that can be killed and restarted on its port."""

    def __init__(self, *options: str) -> None:
        self.port = "0"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        command = [_SYSTEM_PYTHON, str(_SERVER), "--port", self.port, *self._options, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        assert line, "the RTSP server did not start"
        self.port = line[0]

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="module")
def gstreamer() -> None:
    """Fail in CI, skip elsewhere, when the Debian packages of the server are not installed."""
    try:
        subprocess.run([_SYSTEM_PYTHON, "-c", _PROBE], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        reason = f"no GStreamer RTSP server for {_SYSTEM_PYTHON}: {_INSTALL}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def server(gstreamer: None) -> Iterator[RtspServer]:
    server = RtspServer("--user", "viewer", "--password", "hunter2")
    server.start()
    yield server
    server.kill()


def camera_at(server: RtspServer, password: str = "hunter2", **changes: Any) -> Camera:
    return Camera(
        CameraSettings(
            name="yard",
            source=f"rtsp://viewer:{password}@127.0.0.1:{server.port}/live",
            **{"retry_first": 0.05, "retry_longest": 0.5, **changes},
        )
    )


def test_a_killed_camera_reads_0_fps_at_once_and_comes_back(
    server: RtspServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with camera_at(server) as camera:
        for frame in frames_of(camera):
            assert frame.image.shape == (128, 160, 3)
            if frame.sequence >= 10:
                break
        running = camera.status()
        assert (running.state, running.size, running.reconnects) == ("running", (160, 128), 0)
        assert running.fps > 0

        server.kill()
        assert camera.wait_for("lost", timeout=WAIT_S)
        lost = camera.status()
        assert (lost.state, lost.fps, lost.failures >= 1) == ("lost", 0.0, True)
        wait_for_failures(camera, 3)
        assert "Connection refused" in (camera.status().last_error or "")

        server.start("--width", "320", "--height", "240")
        assert camera.wait_for("running", timeout=WAIT_S)
        sizes = set()
        for frame in frames_of(camera):
            sizes.add(frame.image.shape)
            if frame.sequence >= lost.captured + 10:
                break
        back = camera.status()
        assert (back.state, back.reconnects, back.size) == ("running", 1, (320, 240))
        assert back.fps > 0
    assert (240, 320, 3) in sizes
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err, repr(lost), repr(back)):
        assert "hunter2" not in text


def test_a_stalled_camera_is_lost_after_the_read_timeout(server: RtspServer) -> None:
    with camera_at(server, read_timeout=1.0, open_timeout=4.0) as camera:
        assert next(frames_of(camera)).image.shape == (128, 160, 3)
        server.send(signal.SIGSTOP)
        assert camera.wait_for("lost", timeout=WAIT_S)
        assert camera.status().fps == 0.0
        server.send(signal.SIGCONT)
        assert camera.wait_for("running", timeout=WAIT_S)
        assert camera.status().reconnects >= 1


def test_stopping_while_blocked_in_a_read_returns(server: RtspServer) -> None:
    camera = camera_at(server, read_timeout=2.0)
    camera.start()
    assert camera.wait_for("running", timeout=WAIT_S)
    server.send(signal.SIGSTOP)
    while (frame := camera.slot.take(0.3)) is not None:  # until the buffered frames are consumed
        camera.slot.release(frame)
    camera.stop(timeout=0.05)
    assert camera.state == "ended"
    assert camera.stop(timeout=WAIT_S)


def test_a_wrong_password_says_what_to_check(server: RtspServer) -> None:
    with camera_at(server, password="hunter3") as camera:
        assert camera.wait_for("lost", timeout=WAIT_S)
        error = camera.status().last_error or ""
    assert "the host responds" in error
    assert "password" in error
    assert "hunter" not in error
