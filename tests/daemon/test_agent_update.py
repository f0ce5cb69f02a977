"""The real daemon is updated to a wheel of itself: by the launcher, over HTTP, with a broker."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.publish as publishing
import pytest
import yaml

from edgeagent.files.resources import sample_clip
from edgeagent.launcher.record import read_agent_record
from edgeagent.publisher.wheel_set import check_wheels
from edgeagent.version import __version__
from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer
from tests.delivery.agent.offers import offer
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.included import QUICK_NAME
from tests.launcher.package import agent_folder, make_package, start_command, start_environment
from tests.launcher.wheels import ROOT, build_wheel, this_project
from tests.long import LONG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

NEW = "99.0.0"
MOST_STARTS = 8


def requirements() -> list[str]:
    """Return the requirements of this project, which the boards of the test have from their system."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    return re.findall(r'^    "([^"]+)",', section, re.MULTILINE)


class Service:
    """The service as systemd runs it: started again whenever it ends; one that is not ready is killed."""

    def __init__(
        self, folder: Path, server: Server, repository: Repository, broker: Mosquitto, within: str
    ) -> None:
        self.folder, self.state = folder, folder / "state"
        self.package = make_package(folder / "package")
        self.config = folder / "edgeagent.yaml"
        self.state.mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        settings: dict[str, Any] = {
            "device": "board",
            "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
            "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {"interval": "1s"},
            "mqtt": {"host": "127.0.0.1", "port": broker.port, "commands": True},
            "delivery": {
                "repository": server.url,
                "root": str(repository.trusted),
                "check_every": "1s",
                "agent": {"time": "1s", "within": within, "frames": 3, "starts": 2},
            },
        }
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    @property
    def agent(self) -> Path:
        return agent_folder(self.state)

    def start(self) -> int:
        """Start it, and return the process id once it is ready; 0 where it ends before."""
        address = self.folder / "notify"
        address.unlink(missing_ok=True)
        environment = {**start_environment(self.state), "NOTIFY_SOCKET": str(address)}
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
            (self.folder / "log").open("ab") as log,
        ):
            manager.bind(str(address))
            manager.settimeout(1.0)
            command = start_command(self.package, "run", "-c", str(self.config))
            self.process = subprocess.Popen(command, env=environment, stderr=log)
            while self.process.poll() is None:
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in manager.recv(4096):
                        return self.process.pid
        return 0

    def wait_end(self) -> None:
        """Wait until it ends by itself."""
        assert self.process is not None
        self.process.wait(10 * PATIENCE)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-6000:]

    def status(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "edgeagent", "status", "--state", str(self.state), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(done.stdout)["versions"]
        return {**found, "exit": done.returncode}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def service(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Repository, broker: Mosquitto
) -> Iterator[Service]:
    with Server(repository.folder) as server:
        service = Service(tmp_path, server, repository, broker, getattr(request, "param", "10min"))
        yield service
        service.end()


def publish(repository: Repository, folder: Path, changes: dict[str, tuple[str, str]]) -> None:
    """Offer this project with another version, and with changes of its source."""
    files = this_project(NEW)
    for name, (old, new) in changes.items():
        text = files[name].decode()
        assert old in text
        files[name] = text.replace(old, new).encode()
    needs = requirements()
    build_wheel(folder / "wheels", NEW, files, needs)
    provided = [re.split(r"[<>=;\s]", line)[0] for line in needs]
    offer(repository, check_wheels(folder / "wheels", provided), folder)


def agent_of(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message.get("agent", {})
    return found


@LONG
def test_the_daemon_moves_to_a_newer_wheel_of_itself_and_back_by_a_command(
    tmp_path: Path, service: Service, repository: Repository, broker: Mosquitto
) -> None:
    with Consumer(broker.port, "board") as consumer:
        first = service.start()
        assert first, service.log()
        consumer.wait_for("info", lambda message: message["agent"] == __version__)
        consumer.wait_for("telemetry", lambda message: message["cameras"]["yard"]["frames_processed"] > 0)
        publish(repository, tmp_path, {})
        service.wait_end()
        trial = read_agent_record(service.agent).trial
        assert trial is not None, service.log()
        assert (trial.version, trial.detecting, trial.broker) == (NEW, True, True)

        assert service.start(), service.log()
        consumer.wait_for("info", lambda message: message["agent"] == NEW)
        consumer.wait_for("deployment", lambda message: agent_of(message).get("last_state") == "good")
        record = read_agent_record(service.agent)
        assert record.current is not None
        assert (record.current.version, record.trial) == (NEW, None)
        ended = consumer.wait_for("events/update", lambda message: message["data"]["version"] == NEW)
        assert ended["text"] == f"edgeagent {NEW} has passed its probation"
        assert service.status()["exit"] == 0

        command = json.dumps({"request_id": "a1", "command": "agent_rollback"})
        publishing.single("edgeagent/v1/board/cmd", command, qos=1, port=broker.port)
        service.wait_end()
        assert service.start(), service.log()
        consumer.wait_for("alarm", lambda message: "agent_update_failed" in json.dumps(message))
        back = consumer.wait_for("deployment", lambda message: bool(agent_of(message).get("bad")))
        assert agent_of(back)["running"] == __version__
        assert service.status()["exit"] == 1


@LONG
@pytest.mark.parametrize(
    ("service", "changes", "reason", "starts"),
    [
        (
            "10min",
            {
                "edgeagent/daemon/agent.py": (
                    "        self._settings = settings\n",
                    "        raise RuntimeError('a bug')\n",
                )
            },
            "2 starts ended before its probation did",
            3,
        ),
        (
            "8s",
            {"edgeagent/daemon/agent_update.py": ("self._probation.count_frame()", "pass")},
            "0 frames in ",
            2,
        ),
    ],
    ids=["crashes at its start", "does not detect"],
    indirect=["service"],
)
def test_a_version_that_does_not_work_as_the_service_is_left_by_itself(
    tmp_path: Path,
    service: Service,
    repository: Repository,
    broker: Mosquitto,
    changes: dict[str, tuple[str, str]],
    reason: str,
    starts: int,
) -> None:
    publish(repository, tmp_path, changes)
    with Consumer(broker.port, "board") as consumer:
        assert service.start(), service.log()
        service.wait_end()
        assert read_agent_record(service.agent).trial is not None, service.log()
        for number in range(1, starts + 1):
            ready = service.start()
            if number < starts:
                service.wait_end()
        assert ready, service.log()
        failed = consumer.wait_for("deployment", lambda message: bool(agent_of(message).get("bad")))
        assert (agent_of(failed)["running"], agent_of(failed)["last_state"]) == (__version__, "rolled_back")
        assert reason in agent_of(failed)["last_reason"]
        consumer.wait_for("alarm", lambda message: "agent_update_failed" in json.dumps(message))
