"""Probing of the port of a lost camera."""

from __future__ import annotations

import socket
import threading

import pytest

from edgeagent.camera.capture import Camera
from edgeagent.camera.port import CameraPort, port_of
from edgeagent.settings.sections.camera import CameraSettings
from tests.camera.consumer import WAIT_S


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("source", ["0", "/dev/video0", "gstreamer:x ! appsink", "clip.mp4", "rtsp://h:x/"])
def test_only_streams_have_a_port(source: str) -> None:
    assert port_of(source) is None


def test_a_port_has_returned_once() -> None:
    port = free_port()
    probed = CameraPort("127.0.0.1", port)
    assert not probed.has_returned()
    with socket.create_server(("127.0.0.1", port)):
        assert probed.has_returned()
        assert not probed.has_returned()
    assert not probed.has_returned()


def test_a_port_that_always_answered_has_not_returned() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not CameraPort("127.0.0.1", server.getsockname()[1]).has_returned()


def test_a_lost_camera_is_opened_as_soon_as_its_port_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    probed, probe = threading.Event(), CameraPort.has_returned

    def recorded(port: CameraPort) -> bool:
        returned = probe(port)
        probed.set()
        return returned

    monkeypatch.setattr(CameraPort, "has_returned", recorded)
    port = free_port()
    source = f"rtsp://127.0.0.1:{port}/live"
    settings = CameraSettings(name="door", source=source, retry_first=600.0, open_timeout=1.0)
    with Camera(settings) as camera:
        assert probed.wait(WAIT_S)
        assert camera.state == "lost"
        with socket.create_server(("127.0.0.1", port)) as server:
            server.settimeout(WAIT_S)
            first, _ = server.accept()  # the probe, which sends nothing
            assert first.recv(100) == b""
            first.close()
            second, _ = server.accept()
            assert second.recv(100).startswith(b"OPTIONS rtsp://")
            second.close()
