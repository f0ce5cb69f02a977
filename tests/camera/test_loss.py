"""Camera thread on loss, reconnect and stop."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgeagent.camera.capture import Camera
from edgeagent.camera.source import FrameSource
from edgeagent.camera.sources import ChosenDecoder, open_source
from edgeagent.errors import ConfigurationError
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.consumer import WAIT_S, frames_of, wait_for_failures
from tests.camera.media import write_clip, write_pictures
from tests.camera.mjpeg_server import MjpegServer


def settings(source: str | Path, **changes: Any) -> CameraSettings:
    return CameraSettings(
        name="door", source=str(source), **{"retry_first": 0.02, "retry_longest": 0.1, **changes}
    )


# Loss and return


def test_a_missing_file_is_lost_until_it_appears(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = tmp_path / "late.avi"
    told: list[tuple[str, str]] = []

    def on_change(name: str, state: str, text: str) -> None:
        assert name == "door"
        told.append((state, text))

    with Camera(settings(path, pace="unthrottled"), on_change=on_change) as camera:
        assert camera.wait_for("lost", timeout=WAIT_S)
        status = camera.status()
        assert status.fps == 0.0
        assert "No such file" in (status.last_error or "")
        write_clip(tmp_path / "made.avi", frames=4).rename(path)
        assert len(list(frames_of(camera))) == 4
        status = camera.status()
    assert status.failures >= 1
    assert status.reconnects == 1
    messages = [record.message.split(":")[1].strip().split(",")[0] for record in caplog.records]
    assert messages[0] == "lost"
    assert messages[1] == "running"
    assert messages.count("lost") == 1
    assert [state for state, _ in told] == ["lost", "running", "ended"], "each change once"
    assert "No such file" in told[0][1]
    assert "back after" in told[1][1]


def test_a_dropped_connection_is_a_loss_and_the_camera_comes_back(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with MjpegServer() as server, Camera(settings(server.url)) as camera:
        for frame in frames_of(camera):
            assert frame.image.shape == (48, 64, 3)
            if camera.status().fps > 0:
                break
        server.dropping.set()
        assert camera.wait_for("lost", timeout=WAIT_S)
        status = camera.status()
        assert (status.state, status.fps) == ("lost", 0.0)
        assert (
            status.last_error
            == f"http://***@{server.url.split('@')[1].split('?')[0]}?password=*** ended the connection"
        )
        wait_for_failures(camera, 4)  # some attempts are refused
        before = camera.status()
        server.dropping.clear()
        assert camera.wait_for("running", timeout=WAIT_S)
        frame_again = next(frames_of(camera))
        after = camera.status()
    assert (before.reconnects, after.reconnects) == (0, 1)
    assert frame_again.sequence >= before.captured
    losses = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(losses) == 1
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err, repr(before), repr(after)):
        assert "hunter" not in text


def test_a_stalled_camera_is_lost_after_the_read_timeout() -> None:
    with MjpegServer() as server, Camera(settings(server.url, read_timeout=0.5)) as camera:
        assert camera.wait_for("running", timeout=WAIT_S)
        server.stalling.set()
        assert camera.wait_for("lost", timeout=WAIT_S)
        status = camera.status()
        assert status.fps == 0.0
        assert "sent nothing for 0.5 s" in (status.last_error or "")
        server.stalling.clear()
        assert camera.wait_for("running", timeout=WAIT_S)
        assert camera.status().reconnects >= 1


def test_damaged_frames_of_a_stream_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    with MjpegServer() as server:
        server.damaging = 4
        with Camera(settings(server.url)) as camera:
            for count, _ in enumerate(frames_of(camera)):
                if count >= 10 and camera.status().unreadable >= 3:
                    break
            status = camera.status()
    assert (status.state, status.failures, status.reconnects) == ("running", 0, 0)
    assert len([record for record in caplog.records if "damaged frame" in record.message]) == 1


def test_a_stream_of_damaged_frames_only_is_lost() -> None:
    with MjpegServer() as server, Camera(settings(server.url, read_timeout=30.0)) as camera:
        assert camera.wait_for("running", timeout=WAIT_S)
        server.damaging = 1
        assert camera.wait_for("lost", timeout=WAIT_S)


def test_a_malformed_source_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        Camera(settings("0").model_copy(update={"source": "ftp://cam/live"}))  # not from a file


# Stopping


def test_stopping_wakes_the_consumer_and_ends(tmp_path: Path) -> None:
    camera = Camera(settings(write_pictures(tmp_path / "pictures", 2), fps=0.001))
    camera.start()
    assert camera.wait_for("running", timeout=WAIT_S)
    assert camera.stop()
    assert camera.status().state == "ended"
    assert camera.slot.closed
    assert camera.stop()


def test_stopping_while_lost_does_not_wait_for_the_next_attempt(tmp_path: Path) -> None:
    camera = Camera(settings(tmp_path / "none.avi", retry_first=600.0))
    camera.start()
    assert camera.wait_for("lost", timeout=WAIT_S)
    assert camera.stop()
    assert camera.state == "ended"


def test_stopping_a_producer_that_waits_for_its_consumer(tmp_path: Path) -> None:
    camera = Camera(settings(write_clip(tmp_path / "clip.avi"), pace="unthrottled"))
    camera.start()
    assert camera.wait_for("running", timeout=WAIT_S)
    assert camera.stop()


def test_stopping_before_starting(tmp_path: Path) -> None:
    camera = Camera(settings(tmp_path))
    assert camera.stop()
    assert camera.slot.take() is None


def test_stopping_while_blocked_in_opening_leaves_the_thread_to_its_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/live"
        camera = Camera(settings(url, open_timeout=WAIT_S))
        camera.start()
        connection, _ = server.accept()
        assert not camera.stop(timeout=0.1)
        assert camera.state == "ended"
        connection.close()
        assert camera.stop(timeout=WAIT_S)
    assert camera.state == "ended"


def test_leaving_the_program_without_stopping_does_not_abort_it(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", frames=10, fps=200, size=(1280, 960))
    program = (
        "import sys\n"
        "from edgeagent.camera.capture import Camera\n"
        "from edgeagent.settings.schema import CameraSettings\n"
        "cameras = [Camera(CameraSettings(name=n, source=sys.argv[1], loop=True)) for n in 'abcd']\n"
        "[camera.start() for camera in cameras]\n"
        "assert all(camera.wait_for('running', timeout=20) for camera in cameras)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(clip)], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_fault_in_the_thread_is_loud_and_the_source_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [RuntimeError("a bug"), RuntimeError("a bug")]

    def faulty(settings: CameraSettings, decoder: ChosenDecoder | None) -> FrameSource:
        if failures:
            raise failures.pop()
        return open_source(settings, decoder)

    monkeypatch.setattr("edgeagent.camera.capture.open_source", faulty)
    monkeypatch.setattr("edgeagent.timing.guarded_thread.FIRST_S", 0.1)
    with Camera(settings(tmp_path)) as camera:
        assert camera.wait_for("lost", timeout=WAIT_S)
        assert "a bug" in (camera.status().last_error or "")
        assert not camera.slot.closed
        while failures:
            time.sleep(0.01)
    faults = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(faults) == 2
    assert all(record.exc_info for record in faults)
