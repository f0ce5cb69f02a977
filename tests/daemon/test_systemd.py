"""Notifications over a real datagram socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.daemon.systemd import notify, watchdog_s


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


def test_without_systemd_nothing_is_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    opened: list[object] = []
    monkeypatch.setattr("edgeagent.daemon.systemd.socket.socket", lambda *kind: opened.append(kind))
    notify("READY=1")
    assert opened == []


def test_a_service_manager_that_is_gone_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edgeagent.daemon.systemd._failing", threading.Event())
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
    notify("STATUS=detecting")
    assert caplog.text.count("systemd cannot be notified") == 1
    assert "systemd cannot be notified (READY)" in caplog.text


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_for_this_process(
    systemd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    expected: float | None,
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_s() == expected
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert watchdog_s() is None


def test_a_notification_is_one_datagram(systemd: socket.socket) -> None:
    notify("READY=1\nSTATUS=starting")
    assert notifications(systemd) == ["READY=1\nSTATUS=starting"]


def test_a_manager_that_takes_no_notification_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setattr("edgeagent.daemon.systemd.SEND_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, pytest.raises(BlockingIOError):
            other.setblocking(False)
            while True:
                other.sendto(b"STATUS=", str(tmp_path / "notify"))
        notify("STOPPING=1")
        assert "systemd cannot be notified (STOPPING): timed out" in caplog.text
        manager.recv(100)
        notify("STOPPING=1")
