"""Models arrive at a running daemon: fetched over HTTP, gated, tried, and left again when they do badly."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.files.resources import sample_clip
from edgeagent.timing.utc import utc_time
from tests.broker import Mosquitto
from tests.daemon.running import Consumer, Daemon, running
from tests.delivery.models import offer, scrambled, sound
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.included import QUICK_BUNDLE, QUICK_NAME
from tests.long import LONG

FIRST = open_bundle(QUICK_BUNDLE).manifest.version
QUICK = {"time": "2s", "frames": 10, "rate_change": 5.0, "score_change": 1.0, "slower": 1000.0}
ENDLESS = {**QUICK, "time": "1h"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty channel."""
    return Repository(tmp_path / "repository")


class Device:
    """A device that follows the channel of a repository."""

    def __init__(self, folder: Path, repository: Repository, broker: Mosquitto, probation: dict[str, Any]):
        self.folder, self._broker = folder, broker
        self._repository, self._probation = repository, probation

    @contextmanager
    def runs(self, server: Server) -> Iterator[tuple[Daemon, Consumer]]:
        """Run its daemon; a second run goes on where the first one ended."""
        (self.folder / "notify").unlink(missing_ok=True)
        wanted = {
            "device": "board",
            "state": str(self.folder / "state"),
            "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
            "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {
                "interval": "1s",
                "detections": "frames",
                "detections_rate": 1000.0,
                "detections_empty": True,
            },
            "mqtt": {"host": "127.0.0.1", "port": self._broker.port, "commands": True},
            "delivery": {
                "repository": server.url,
                "root": str(self._repository.trusted),
                "check_every": "1s",
                "gate": {"p90_ms": 60000.0},
                "probation": self._probation,
            },
        }
        with Consumer(self._broker.port, "board") as consumer, running(self.folder, wanted) as daemon:
            daemon.wait_until_detecting()
            yield daemon, consumer

    def record(self) -> dict[str, Any]:
        """What it remembers."""
        found: dict[str, Any] = json.loads((self.folder / "state" / "delivery" / "record.json").read_bytes())
        return found


def device(tmp_path: Path, repository: Repository, broker: Mosquitto, probation: dict[str, Any]) -> Device:
    (tmp_path / "device").mkdir()
    return Device(tmp_path / "device", repository, broker, probation)


def reaches(consumer: Consumer, state: str, version: str) -> Any:
    return consumer.wait_for("deployment", lambda m: (m["state"], m.get("version")) == (state, version))


def serves(consumer: Consumer, version: str, after: str = "") -> Any:
    return consumer.wait_for("info", lambda m: m["bundle"]["version"] == version and m["time"] > after)


def worker(daemon: Daemon) -> psutil.Process:
    """The newest worker: that of the model that serves, when nothing is being tried."""
    found = [
        child
        for child in psutil.Process(daemon.process.pid).children()
        if "edgeagent.worker.process" in child.cmdline()
    ]
    return max(found, key=lambda one: one.create_time())


def test_a_good_model_takes_over_and_a_broken_one_stays_outside(
    repository: Repository, broker: Mosquitto, tmp_path: Path
) -> None:
    board = device(tmp_path, repository, broker, QUICK)
    with Server(repository.folder) as server, board.runs(server) as (daemon, consumer):
        serves(consumer, FIRST)
        offer(repository, sound(tmp_path / "sound", "2.0.0"))
        trial = reaches(consumer, "trial", "2.0.0")
        assert trial["gate"]["map50_95"] > 0.7
        good = reaches(consumer, "good", "2.0.0")
        assert good["current"]["version"] == "2.0.0"
        serves(consumer, "2.0.0")
        consumer.wait_for("update", lambda m: m["installed_version"] == "2.0.0" and not m["in_progress"])
        asked = {request.path.rsplit(".", 2)[-2] for request in server.asked if "2.0.0" in request.path}
        assert "manifest" in asked
        offer(repository, scrambled(tmp_path / "scrambled", "2.1.0"))
        rejected = reaches(consumer, "rejected", "2.1.0")
        assert "does not compute what was trained" in rejected["reason"]
        assert rejected["current"]["version"] == "2.0.0"
        event = consumer.wait_for("events/update", lambda m: m["data"]["state"] == "rejected")
        assert event["data"]["reason"] == rejected["reason"]
        alarm = consumer.wait_for("alarm", lambda m: m["problems"] and "serving" in m)
        assert [problem["code"] for problem in alarm["problems"]] == ["update_rejected"]
        before = len(consumer.payloads("detections/yard"))
        consumer.wait_for("detections/yard", lambda _: len(consumer.payloads("detections/yard")) > before)
        assert daemon.stop() == 0, daemon.log()
        messages = [json.loads(payload) for payload in consumer.payloads("detections/yard")]
    ends = [json.loads(payload)["data"] for payload in consumer.payloads("events/update")]
    assert [(end["version"], end["state"]) for end in ends] == [("2.0.0", "good"), ("2.1.0", "rejected")]
    sequences = [message["sequence"] for message in messages]
    assert all(one < other for one, other in itertools.pairwise(sequences))
    states = [json.loads(payload) for payload in consumer.payloads("deployment")]
    gating = [m["time"] for m in states if m["state"] == "gating"]
    tried = [m["time"] for m in states if m["state"] in ("trial", "rejected")]
    for begin, end in zip((gating[0], gating[-1]), (tried[0], tried[-1]), strict=True):
        assert any(begin <= message["time"] <= end for message in messages), "blind while the gate ran"
    with Server(repository.folder) as server:
        server.answer_always("json", lambda handler, _: handler.cut())
        with board.runs(server) as (daemon, consumer):  # the last good one serves, without the repository
            serves(consumer, "2.0.0")
            assert daemon.stop() == 0, daemon.log()


@LONG
def test_a_model_whose_engine_dies_three_times_on_trial_is_left(
    repository: Repository, broker: Mosquitto, tmp_path: Path
) -> None:
    board = device(tmp_path, repository, broker, ENDLESS)
    offer(repository, sound(tmp_path / "sound", "2.0.0"))
    with Server(repository.folder) as server, board.runs(server) as (daemon, consumer):
        serves(consumer, "2.0.0")
        for strike in (1, 2, 3):
            killed = utc_time(time.time())
            os.kill(worker(daemon).pid, signal.SIGKILL)
            if strike < 3:  # a strike is counted when another worker serves
                consumer.wait_for(
                    "detections/yard",
                    lambda m: m["time"] > killed and board.record()["deployment"]["strikes"] == strike,  # noqa: B023
                )
        rolled_back = reaches(consumer, "rolled_back", "2.0.0")
        assert "3 times its engine failed" in rolled_back["reason"]
        serves(consumer, FIRST, after=killed)
        assert [bad["model"] for bad in rolled_back["bad"]] == ["coco-nano 2.0.0"]
        assert daemon.stop() == 0, daemon.log()


@LONG
def test_an_agent_that_is_killed_three_times_on_trial_is_back_on_the_good_model(
    repository: Repository, broker: Mosquitto, tmp_path: Path
) -> None:
    board = device(tmp_path, repository, broker, ENDLESS)
    offer(repository, sound(tmp_path / "sound", "2.0.0"))
    with Server(repository.folder) as server:
        for _ in range(3):
            with board.runs(server) as (daemon, consumer):
                serves(consumer, "2.0.0")
                daemon.process.kill()
                daemon.wait()
        with board.runs(server) as (daemon, consumer):
            serves(consumer, FIRST)
            alarm = consumer.wait_for("alarm", lambda m: m["problems"] and "serving" in m)
            assert daemon.stop() == 0, daemon.log()
        assert [problem["code"] for problem in alarm["problems"]] == ["rolled_back"]
        (end,) = [json.loads(payload)["data"] for payload in consumer.payloads("events/update")]
        assert (end["state"], end["version"]) == ("rolled_back", "2.0.0")
    assert board.record()["deployment"]["state"] == "rolled_back"
    assert [bad["slot"].rsplit("-", 1)[0] for bad in board.record()["bad"]] == ["coco-nano-2.0.0"]
