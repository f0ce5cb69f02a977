"""Feeding of systemd's watchdog, over a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.agent import Agent
from edgeagent.daemon.watchdog import LOOK_S, MAX_STATUS, Watchdog
from edgeagent.detection.frame_result import Result
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.timing.progress import UNLIMITED_S, Progress
from tests.camera.media import write_pictures
from tests.daemon.running import PATIENCE, running

WATCHDOG_S = 1.0
DAEMON_WATCHDOG_S = 4.0
ENOUGH = 12
"""Looks in which a part without progress has long stalled: there are four in the time of the watchdog."""


class Manager:
    """Service manager that receives notifications."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE)

    def receive(self) -> str:
        """Return the next notification."""
        return self.socket.recv(4096).decode()

    def wait_for(self, wanted: str) -> str:
        """Wait for a notification that begins so."""
        while True:
            found = self.receive()
            if found.startswith(wanted):
                return found

    def looks(self, number: int) -> list[str]:
        """Return all notifications until the status has changed so often: once at each look."""
        found: list[str] = []
        while sum(one.startswith("STATUS=") for one in found) < number:
            found.append(self.receive())
        return found


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    found = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield found
    found.socket.close()


@pytest.fixture
def watchdog(manager: Manager) -> Iterator[Watchdog]:
    """A watchdog whose status changes at every look."""
    numbers = count()
    found = Watchdog(lambda: f"look {next(numbers)}")
    yield found
    found.stop()


def test_a_status_is_one_notification_of_limited_length(manager: Manager) -> None:
    """The text of an engine's failure may have several lines."""
    watchdog = Watchdog(lambda: "not detecting; no engine: bad\nWATCHDOG=trigger\udcff" + "x" * 9000)
    watchdog.start()
    try:
        status = manager.wait_for("STATUS=")
    finally:
        watchdog.stop()
    assert status.startswith("STATUS=not detecting; no engine: bad\\nWATCHDOG=trigger\\udcffxx")
    assert len(status) == len("STATUS=") + MAX_STATUS


def settings(folder: Path, source: Path | str) -> Settings:
    return Settings(
        device="board",
        state=folder / "state",
        cameras=(CameraSettings(name="gate", source=str(source), loop=True),),
        model=ModelSettings(engine="onnxruntime-cpu", threads=1),
    )


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_it_feeds_while_the_parts_make_progress(manager: Manager, watchdog: Watchdog) -> None:
    busy, idle = Progress("busy"), Progress("idle")
    idle.expect(UNLIMITED_S, "waiting for a frame")
    watchdog.watch(lambda: [idle.sample()])

    def work() -> list[Any]:
        busy.expect(0.0, "working")
        return [busy.sample()]

    watchdog.watch(work)
    watchdog.start()
    assert manager.looks(ENOUGH).count("WATCHDOG=1") >= ENOUGH - 1
    assert watchdog.stalled == ()


def test_it_does_not_feed_while_the_thread_of_a_part_waits_for_a_lock(
    manager: Manager, watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    lock, ended, progress = threading.Lock(), threading.Event(), Progress("inference")

    def work() -> None:
        while not ended.wait(0.05):
            progress.expect(0.0, "detecting")
            with lock:
                pass

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    watchdog.watch(lambda: [progress.sample()])
    watchdog.start()
    manager.wait_for("WATCHDOG=1")
    with lock:
        eventually(lambda: bool(watchdog.stalled), "no stall is seen")
        manager.looks(1)
        manager.wait_for("STATUS=")
        while True:  # what was sent before the stall
            if "WATCHDOG=1" not in manager.looks(3):
                break
        assert "WATCHDOG=1" not in manager.looks(ENOUGH)
        assert watchdog.stalled == ("inference",)
    manager.wait_for("WATCHDOG=1")
    ended.set()
    worker.join(PATIENCE)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert errors[0].startswith("no progress of inference: detecting, for ")
    assert "progress again" in caplog.text


def test_one_part_of_a_group_that_goes_on_is_enough(manager: Manager, watchdog: Watchdog) -> None:
    hanging, lost = Progress("camera gate"), Progress("camera yard")
    hanging.expect(0.0, "reading a frame")

    def group() -> list[Any]:
        lost.expect(1.0, "waiting to open the lost source again")
        return [hanging.sample(), lost.sample()]

    watchdog.watch(group)
    watchdog.start()
    assert "WATCHDOG=1" in manager.looks(ENOUGH)[-3:]


def test_a_deadlock_stops_the_feeding(manager: Manager, watchdog: Watchdog) -> None:
    lock, progress = threading.Lock(), Progress("engine")

    def sample() -> list[Any]:
        with lock:
            return [progress.sample()]

    watchdog.watch(sample)
    with lock:
        watchdog.start()
        manager.socket.settimeout(3 * WATCHDOG_S)
        with pytest.raises(TimeoutError):
            manager.receive()
    manager.socket.settimeout(PATIENCE)
    assert manager.receive() == "WATCHDOG=1"


def test_it_sleeps_between_looks(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog(lambda: "running")
    waits: list[float | None] = []

    class Wake(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return super().wait(timeout)

    watchdog._wake = Wake()
    watchdog.start()
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    watchdog.stop()
    assert set(waits) == {WATCHDOG_S / 4}


def test_an_unchanged_status_is_notified_once(manager: Manager) -> None:
    watchdog = Watchdog(lambda: "detecting")
    watchdog.start()
    found = [manager.receive() for _ in range(4)]
    watchdog.stop()
    assert found.count("STATUS=detecting") == 1


def test_a_long_watchdog_is_looked_after_every_few_seconds(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    assert Watchdog(lambda: "")._look_s == LOOK_S
    monkeypatch.delenv("WATCHDOG_USEC")
    watchdog = Watchdog(lambda: "detecting")
    watchdog.start()
    assert manager.receive() == "STATUS=detecting"
    watchdog.stop()
    assert manager.receive() == "STOPPING=1\nSTATUS=stopping"


def test_without_a_manager_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    watchdog = Watchdog(lambda: "detecting")
    watchdog.start()
    assert not watchdog._thread.is_alive()
    watchdog.stop()


def test_an_inference_loop_that_hangs_is_a_stall(manager: Manager, tmp_path: Path) -> None:
    """The thread that finishes frames waits for a lock for real."""
    lock = threading.Lock()

    def on_result(result: Result) -> None:
        with lock:
            pass

    agent = Agent(settings(tmp_path, write_pictures(tmp_path / "pictures", 3)), on_result)
    agent.start()
    try:
        manager.wait_for("STATUS=detecting; camera gate: running; engine onnxruntime-cpu; no broker")
        with lock:
            eventually(lambda: agent._service.watchdog.stalled == ("inference",), "no stall is seen")
        eventually(lambda: not agent._service.watchdog.stalled, "it stays stalled")
    finally:
        agent.stop()


def test_a_running_daemon_is_ready_before_its_first_frame_and_fed(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "pictures", 3)
    wanted = daemon_settings(tmp_path, {"name": "gate", "source": str(source), "loop": True})
    with running(tmp_path, wanted, environment=watched()) as daemon:
        daemon.wait_for_notification("READY=1")
        daemon.wait_for_notification("STATUS=starting the model")
        daemon.wait_until_detecting()
        for _ in range(ENOUGH // 2):  # longer than a part without progress is fed
            daemon.wait_for_notification("WATCHDOG=1")
        assert daemon.stop() == 0, daemon.log()


def test_a_daemon_with_a_lost_camera_is_ready_fed_and_names_it_once(tmp_path: Path) -> None:
    wanted = daemon_settings(tmp_path, {"name": "gate", "source": "/dev/video77", "retry_longest": "1s"})
    with running(tmp_path, wanted, environment=watched()) as daemon:
        daemon.wait_for_notification("READY=1")
        daemon.wait_for_notification("STATUS=waiting for a camera; camera gate: no frame for ")
        for _ in range(ENOUGH // 2):  # longer than a part without progress is fed
            daemon.wait_for_notification("WATCHDOG=1")
        assert daemon.stop() == 0, daemon.log()
        lines = [line for line in daemon.log().splitlines() if "gate" in line]
    assert len(lines) == 1, lines
    assert lines[0].startswith("WARNING")


def test_the_signal_of_the_watchdog_writes_the_stacks_of_all_threads(tmp_path: Path) -> None:
    wanted = daemon_settings(tmp_path, {"name": "gate", "source": "/dev/video77"})
    with running(tmp_path, wanted, environment=watched()) as daemon:
        daemon.wait_for_notification("STATUS=waiting for a camera")
        daemon.process.send_signal(signal.SIGABRT)
        assert daemon.wait() == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log()
        assert daemon.log().count("Thread 0x") > 3


def daemon_settings(folder: Path, camera: dict[str, Any]) -> dict[str, Any]:
    return {
        "device": "board",
        "state": str(folder / "state"),
        "cameras": [camera],
        "model": {"engine": "onnxruntime-cpu", "threads": 1},
    }


def watched() -> dict[str, str]:
    """Environment of a service with a watchdog."""
    return {**os.environ, "WATCHDOG_USEC": str(int(DAEMON_WATCHDOG_S * 1e6))}
