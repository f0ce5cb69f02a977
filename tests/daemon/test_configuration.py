"""Signed configurations at a running daemon with a real broker: applied, on probation, and left again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.broker import Mosquitto, free_port
from tests.camera.media import write_pictures
from tests.daemon.running import PATIENCE, Consumer, Daemon, running
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.included import QUICK_NAME
from tests.long import LONG

STARTS = 2
LIMITS = {"within": "60s", "steady": "500ms"}


class Board:
    """A board that follows the configurations of a channel."""

    def __init__(self, folder: Path, repository: Repository, broker: Mosquitto) -> None:
        self.folder, self._repository, self._broker = folder, repository, broker
        self.local: list[str] = []
        self.limits: dict[str, Any] = dict(LIMITS)
        write_pictures(folder / "pictures", 3)

    def camera(self, name: str) -> dict[str, Any]:
        """Settings of a camera that plays pictures."""
        return {"name": name, "source": str(self.folder / "pictures"), "fps": 3.0, "loop": True}

    @contextmanager
    def runs(self, server: Server) -> Iterator[tuple[Daemon, Consumer]]:
        """Run its daemon; a second run goes on where the first one ended."""
        (self.folder / "notify").unlink(missing_ok=True)
        wanted = {
            "device": "board",
            "state": str(self.folder / "state"),
            "cameras": [self.camera("yard")],
            "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {"interval": "1s", "spool": None},
            "mqtt": {"host": "127.0.0.1", "port": self._broker.port, "commands": True, "retry_longest": "1s"},
            "delivery": {
                "repository": server.url,
                "root": str(self._repository.trusted),
                "check_every": "1s",
                "local": self.local,
                "configuration": self.limits,
            },
        }
        with Consumer(self._broker.port, "board") as consumer, running(self.folder, wanted) as daemon:
            daemon.wait_until_detecting()
            yield daemon, consumer

    def record(self) -> dict[str, Any]:
        """What it remembers."""
        path = self.folder / "state" / "delivery" / "configuration" / "record.json"
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def server(repository: Repository) -> Iterator[Server]:
    with Server(repository.folder) as server:
        yield server


@pytest.fixture
def board(tmp_path: Path, repository: Repository, broker: Mosquitto) -> Board:
    (tmp_path / "board").mkdir()
    return Board(tmp_path / "board", repository, broker)


def patient(consumer: Consumer, topic: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for a message; long, as nothing is told while an engine starts on a busy machine."""
    for _ in range(STARTS):
        with contextlib.suppress(AssertionError):
            return dict(consumer.wait_for(topic, wanted))
    return dict(consumer.wait_for(topic, wanted))


def restarts(daemon: Daemon, times: int = 1) -> None:
    """Wait until the agent has started again; systemd hears of it, and of no end."""
    for _ in range(times):
        daemon.wait_for_notification("RELOADING=1")
        daemon.wait_for_notification("READY=1")


def reaches(consumer: Consumer, state: str, version: str, **fields: Any) -> dict[str, Any]:
    """Wait for a state of a configuration, and return the report."""

    def found(message: dict[str, Any]) -> bool:
        report = message.get("configuration") or {}
        wanted = {"state": state, "version": version, **fields}
        return all(report.get(key) == value for key, value in wanted.items())

    report: dict[str, Any] = patient(consumer, "deployment", found)["configuration"]
    return report


def command(consumer: Consumer, **fields: Any) -> dict[str, Any]:
    """Send a command, and return the reply."""
    consumer.publish("cmd", json.dumps(fields).encode())
    reply: dict[str, Any] = consumer.wait_for("reply", lambda m: m["request_id"] == fields["request_id"])
    return reply


def test_a_configuration_is_applied_in_the_same_process_and_is_good(
    board: Board, repository: Repository, server: Server
) -> None:
    with board.runs(server) as (daemon, consumer):
        reaches_idle = consumer.wait_for("deployment", lambda m: "configuration" in m)
        assert reaches_idle["configuration"]["state"] == "idle"
        repository.configure({"cameras": [board.camera("dock")], "objects": {"labels": ["person"]}}, "1.0.0")
        restarts(daemon)
        good = reaches(consumer, "good", "1.0.0")
        assert (good["serving"], good["current"]) == ("1.0.0", "1.0.0")
        info = patient(consumer, "info", lambda m: m.get("configuration") == "1.0.0")
        assert [camera["name"] for camera in info["cameras"]] == ["yard", "dock"]
        consumer.wait_for(
            "events/update", lambda m: m["text"] == "configuration 1.0.0 has passed its probation"
        )
        assert psutil.Process(daemon.process.pid).is_running()
        assert daemon.stop() == 0
    with board.runs(server) as (_, consumer):  # the next start needs no repository for it
        patient(consumer, "info", lambda m: m.get("configuration") == "1.0.0")


def test_what_takes_a_camera_or_the_broker_away_goes_back(
    board: Board, repository: Repository, server: Server
) -> None:
    board.limits = {"within": "4s", "steady": "1s"}
    with board.runs(server) as (daemon, consumer):
        absent = {"name": "dock", "source": "/dev/video97"}
        repository.configure({"cameras": [absent]}, "1.0.0")
        restarts(daemon, 2)
        report = reaches(consumer, "rolled_back", "1.0.0", serving=None)
        assert "camera dock delivers no frames" in report["reason"]
        assert report["bad"][0]["version"] == "1.0.0"
        consumer.wait_for(
            "alarm", lambda m: "configuration_rolled_back" in [one["code"] for one in m["problems"]]
        )
        repository.configure({"mqtt": {"port": free_port()}}, "1.1.0")
        restarts(daemon, 2)
        report = reaches(consumer, "rolled_back", "1.1.0")
        assert "the broker, which was connected, is not" in report["reason"]
        assert daemon.process.poll() is None


@LONG
def test_what_takes_telemetry_or_the_agent_away_goes_back(
    board: Board, repository: Repository, server: Server
) -> None:
    board.limits = {"within": "4s", "steady": "1s"}
    with free_listener() as port, board.runs(server) as (daemon, consumer):
        repository.configure({"mqtt": {"host": None}}, "1.2.0")
        restarts(daemon, 2)
        assert "the broker" in reaches(consumer, "rolled_back", "1.2.0")["reason"]
        repository.configure({"prometheus": {"listen": f"127.0.0.1:{port}"}}, "1.3.0")
        restarts(daemon, 2)
        report = reaches(consumer, "rolled_back", "1.3.0")
        assert "the agent ended: " in report["reason"]
        assert "current" not in report
        assert daemon.stop() == 0


def test_local_keys_stay_and_what_cannot_be_used_is_refused_by_name(
    board: Board, repository: Repository, server: Server
) -> None:
    board.local = ["mqtt", "cameras.*.source"]
    with board.runs(server) as (daemon, consumer):
        repository.configure(
            {"mqtt": {"host": "else"}, "cameras": [{"name": "yard", "source": "9"}]}, "1.0.0"
        )
        report = reaches(consumer, "good", "1.0.0")  # nothing of it is taken, and nothing starts again
        assert report["local"] == ["mqtt", "cameras.yard.source"]
        repository.configure({"telemetry": {"intervall": "1s"}}, "1.1.0", made_with="99.0.0")
        reason = reaches(consumer, "rejected", "1.1.0", serving="1.0.0")["reason"]
        assert "telemetry.intervall: unknown key; did you mean interval?" in reason
        assert "it was made with edgeagent 99.0.0" in reason
        consumer.wait_for(
            "alarm", lambda m: "configuration_refused" in [one["code"] for one in m["problems"]]
        )
        repository.configure({"cameras": [{"name": "gate", "weight": 2.0}]}, "1.2.0")
        assert "cameras.gate: this board has no camera" in reaches(consumer, "rejected", "1.2.0")["reason"]
        repository.configure({"state": "/tmp"}, "1.3.0")
        assert "state: stays in the file of the board" in reaches(consumer, "rejected", "1.3.0")["reason"]
        repository.configure({"telemetry": {}}, "1.4.0", minimum_agent_version="99.0.0")
        consumer.wait_for(
            "deployment",
            lambda m: "made for edgeagent 99.0.0" in (m.get("configuration") or {}).get("waiting", ""),
        )
        assert daemon.process.poll() is None


@LONG
def test_rollback_by_a_command_and_withdrawal(board: Board, repository: Repository, server: Server) -> None:
    with board.runs(server) as (_, consumer):
        refused = command(consumer, request_id="1", command="rollback_configuration")
        assert not refused["ok"]
        assert "the file of the board serves alone" in refused["error"]
        repository.configure({"objects": {"labels": ["person"]}}, "1.0.0")
        reaches(consumer, "good", "1.0.0", serving="1.0.0")
        second = repository.configure({"objects": {"labels": ["car"]}}, "1.1.0")
        reaches(consumer, "good", "1.1.0", serving="1.1.0")
        status = command(consumer, request_id="2", command="status")
        assert "configuration 1.1.0 serves" in status["result"]
        reply = command(consumer, request_id="3", command="rollback_configuration")
        assert reply["result"] == "configuration 1.0.0 is next"
        reaches(consumer, "rolled_back", "1.1.0", serving="1.0.0")
        first = repository.configurations["stable"][0]
        repository.change_configurations([first.model_copy(update={"withdrawn": "wrong"}), second])
        reaches(consumer, "rolled_back", "1.1.0", serving=None)


@LONG
def test_a_configuration_that_crashes_the_agent_goes_back(
    board: Board, repository: Repository, server: Server
) -> None:
    board.limits = {"within": "1h", "steady": "1h", "strikes": 2}
    with board.runs(server) as (daemon, consumer):
        repository.configure({"objects": {"labels": ["person"]}}, "1.0.0")
        reaches(consumer, "trial", "1.0.0", serving="1.0.0")
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.wait(PATIENCE)
    with board.runs(server) as (daemon, consumer):
        reaches(consumer, "trial", "1.0.0", serving="1.0.0")
        assert board.record()["deployment"]["starts"] == 2
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.wait(PATIENCE)
    with board.runs(server) as (daemon, consumer):
        report = reaches(consumer, "rolled_back", "1.0.0", serving=None)
        assert report["reason"] == "2 starts of the agent without a passed trial"
        assert daemon.process.poll() is None


@contextmanager
def free_listener() -> Iterator[int]:
    """Hold a port, so that nothing else can listen on it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]
