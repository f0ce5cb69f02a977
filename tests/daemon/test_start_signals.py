"""Signals while the daemon starts: engines are measured, the broker is away, a camera opens."""

from __future__ import annotations

import argparse
import gc
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edgeagent.cli import run
from edgeagent.daemon.part_order import STOP_S
from edgeagent.launcher.launched import launched, note_up
from edgeagent.launcher.record import AgentRecord, AgentTrial, read_agent_record, write_agent_record
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, Daemon, running
from tests.daemon.test_run import settings
from tests.delivery.agent.offers import launched_in

MEASURING = "STATUS=starting the model"


def wait_for_worker(daemon: Daemon) -> psutil.Process:
    """Wait until it has started a worker."""
    while True:
        assert daemon.process.poll() is None, daemon.log()
        for child in psutil.Process(daemon.process.pid).children():
            return child


def ends_cleanly(daemon: Daemon) -> None:
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.log()
    assert "Traceback" not in daemon.log()


def test_sigterm_while_engines_are_measured(pictures: Path, broker: Mosquitto, tmp_path: Path) -> None:
    with (
        Consumer(broker.port, "board") as consumer,
        running(tmp_path, settings(pictures, broker.port)) as daemon,
    ):
        daemon.wait_for_notification(MEASURING)
        consumer.wait_for("alarm", lambda m: [p["code"] for p in m["problems"]] == ["starting"])
        measured = wait_for_worker(daemon)
        ends_cleanly(daemon)
        measured.wait(PATIENCE)
        consumer.wait_for_status(b"stopped")


def test_many_signals_do_not_interrupt_the_end(pictures: Path, broker: Mosquitto, tmp_path: Path) -> None:
    with (
        Consumer(broker.port, "board") as consumer,
        running(tmp_path, settings(pictures, broker.port)) as daemon,
    ):
        daemon.wait_for_notification(MEASURING)
        measured = wait_for_worker(daemon)
        while daemon.process.poll() is None:
            daemon.process.send_signal(signal.SIGTERM)
            daemon.process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        assert daemon.wait() == 0, daemon.log()
        assert "Traceback" not in daemon.log()
        measured.wait(PATIENCE)
        consumer.wait_for_status(b"stopped")


@pytest.fixture
def handlers() -> Iterator[None]:
    """Restore what a run in this process changes."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, *run.IGNORED)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
    gc.unfreeze()


def run_here(folder: Path) -> int:
    """Run the command in this process, and return its exit code."""
    (folder / "c.yaml").write_text("cameras: [{name: c, source: x.mp4}]\n")
    return run.run(argparse.Namespace(config=folder / "c.yaml", check=False, json=False))


def test_a_signal_that_an_import_turns_into_an_error_ends_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    def fail(settings: object, **more: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr("edgeagent.daemon.agent.Agent", fail)
    assert run_here(tmp_path) == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


@pytest.mark.parametrize(("ready", "starts"), [(False, 1), (True, 0)], ids=["hanging", "ready"])
def test_a_stop_is_a_start_of_a_version_on_trial_until_it_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handlers: None, ready: bool, starts: int
) -> None:
    """systemd ends a version that hangs at its start, after TimeoutStartSec, by the signal of a stop."""
    start = launched_in(tmp_path, tmp_path, "0.3.0-b", trial=True)
    trial = AgentTrial("0.3.0-b", "0.3.0", 2, starts=1, detecting=True, broker=True)
    write_agent_record(start.path, AgentRecord(trial=trial))
    for name, value in start.variable().items():
        monkeypatch.setenv(name, value)

    def is_stopped(settings: object, **more: object) -> None:
        if ready:
            note_up(launched())
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("edgeagent.daemon.agent.Agent", is_stopped)
    assert run_here(tmp_path) == 0
    counted = read_agent_record(start.path).trial
    assert counted is not None
    assert counted.starts == starts


def test_a_signal_that_was_lost_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    end, now = run.StartEnd(STOP_S), 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert not end.requested
    with pytest.raises(SystemExit):
        end(signal.SIGTERM, None)
    assert end.requested
    end(signal.SIGTERM, None)
    now = STOP_S + 0.1
    with pytest.raises(SystemExit):
        end(signal.SIGTERM, None)


def test_sigterm_while_the_broker_is_away(pictures: Path, broker: Mosquitto, tmp_path: Path) -> None:
    broker.stop()
    with running(tmp_path, settings(pictures, broker.port)) as daemon:
        daemon.wait_for_notification(MEASURING)
        wait_for_worker(daemon)
        ends_cleanly(daemon)


def test_sigterm_while_a_camera_opens(broker: Mosquitto, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as camera, Consumer(broker.port, "board") as consumer:
        camera.settimeout(PATIENCE)
        wanted = settings(f"rtsp://127.0.0.1:{camera.getsockname()[1]}/silent", broker.port)
        wanted["model"] = {"engine": "onnxruntime-cpu"}
        with running(tmp_path, wanted) as daemon:
            daemon.wait_for_notification("STATUS=waiting for a camera")
            camera.accept()
            ends_cleanly(daemon)
        consumer.wait_for_status(b"stopped")


def test_other_signals_at_the_start_are_ignored_or_wait(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True)
    wanted["model"] = {"engine": "onnxruntime-cpu"}
    with running(tmp_path, wanted) as daemon:
        daemon.wait_for_notification(MEASURING)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            daemon.process.send_signal(number)
        daemon.wait_for_notifications("STATUS=detecting", "RELOADING=1")
        ends_cleanly(daemon)
        assert "reload by SIGHUP: nothing has changed" in daemon.log()
        assert "SIGUSR1 is ignored" in daemon.log()


def test_an_engine_that_can_never_work_is_reported_before_the_daemon_ends(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port)
    wanted["model"] = {"engine": "hailo"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        assert daemon.wait() == 4, daemon.log()
        assert "none of it runs on hailo" in daemon.log()
        consumer.wait_for_status(b"stopped")
        codes = [p["code"] for p in consumer.wait_for("alarm", lambda m: True)["problems"]]
        assert codes == ["starting"]
