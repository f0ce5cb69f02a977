"""Notifications over a real datagram socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeagent.daemon.systemd import ServiceStatus, notify
from edgeagent.detection.pipeline import Result
from edgeagent.detection.serving import Change
from edgeagent.imaging.frame import Frame
from edgeagent.vision.detections import Detections


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(60.0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


def notifications(receiver: socket.socket) -> list[str]:
    """All notifications so far."""
    notify("X_LAST=1")
    found = []
    while (notification := receiver.recv(4096).decode()) != "X_LAST=1":
        found.append(notification)
    return found


def test_a_service_is_ready_with_its_first_frame(systemd: socket.socket) -> None:
    service = ServiceStatus()
    service.start()
    assert notifications(systemd) == ["STATUS=waiting for the first frame"]
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 1, 0, 0.0)
    result = Result("yard", frame, Detections.empty(), None, 0)  # type: ignore[arg-type]
    service.frame(result)
    service.frame(result)
    service.changed(Change("b", best=False, reason="a died"))
    service.changed(Change(None, best=False, reason="b died"))
    service.stop()
    assert notifications(systemd) == [
        "READY=1\nSTATUS=detecting",
        "STATUS=detecting: a died",
        "STATUS=not detecting: b died",
        "STOPPING=1",
    ]


def test_without_systemd_nothing_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    opened: list[object] = []
    monkeypatch.setattr("edgeagent.daemon.systemd.socket.socket", lambda *kind: opened.append(kind))
    notify("READY=1")
    assert opened == []


def test_a_service_manager_that_is_gone_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    assert "systemd cannot be notified (READY)" in caplog.text
