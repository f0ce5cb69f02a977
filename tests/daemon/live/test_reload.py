"""Changes without a new start at a real daemon with a real broker: files, cameras, zones, commands."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgeagent.daemon.live.control_client import ask_agent
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.camera.media import write_pictures
from tests.daemon.running import Consumer, Daemon, running
from tests.included import QUICK_NAME

EVERYWHERE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
CORNER = [[0.0, 0.0], [0.01, 0.0], [0.01, 0.01]]
FRAMES = 30


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of the sample clip, with people in each."""
    path = tmp_path_factory.mktemp("clip") / "people.avi"
    reader = cv2.VideoCapture(str(sample_clip()))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (768, 576))
    for _ in range(FRAMES):
        ok, frame = reader.read()
        assert ok
        writer.write(frame)
    writer.release()
    reader.release()
    return path


class Board:
    """A board with a configuration file, whose cameras lose no frame (``pace: unthrottled``)."""

    def __init__(self, folder: Path, people: Path, port: int) -> None:
        self.folder, self.state = folder, folder / "state"
        write_pictures(folder / "pictures", 3)
        self.yard: dict[str, Any] = {
            "name": "yard",
            "source": str(people),
            "pace": "unthrottled",
            "loop": True,
            "zones": [{"name": "all", "polygon": EVERYWHERE}],
        }
        self.settings: dict[str, Any] = {
            "device": "board",
            "state": str(self.state),
            "cameras": [self.yard],
            "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
            "telemetry": {
                "interval": "1s",
                "detections": "frames",
                "detections_empty": True,
                "detections_rate": 1000.0,
                "spool": None,
            },
            "accuracy": {"golden_every": None, "drift": False},
            "mqtt": {"host": "127.0.0.1", "port": port, "commands": True, "retry_longest": "1s"},
        }

    @property
    def file(self) -> Path:
        return self.folder / "edgeagent.yaml"

    def camera(self, name: str, **more: Any) -> dict[str, Any]:
        """Settings of a camera that plays pictures."""
        return {"name": name, "source": str(self.folder / "pictures"), "fps": 4.0, "loop": True, **more}

    def write(self) -> None:
        """Write the file."""
        self.file.write_text(json.dumps(self.settings, indent=1), encoding="utf-8")

    @contextmanager
    def runs(self) -> Iterator[Daemon]:
        """Run its daemon on its file."""
        (self.folder / "notify").unlink(missing_ok=True)
        with running(self.folder, None) as daemon:
            daemon.wait_until_detecting()
            yield daemon


@pytest.fixture
def board(tmp_path: Path, people: Path, broker: Mosquitto) -> Board:
    board = Board(tmp_path, people, broker.port)
    board.write()
    return board


class Later(Consumer):
    """Consumer that waits for messages that come after a mark."""

    since = 0

    def __enter__(self) -> Later:
        return self

    def mark(self) -> None:
        """Count only messages from now on."""
        self.since = len(self.everything())

    def later(self, topic: str, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait for a wanted message after the mark."""
        found: list[dict[str, Any]] = []

        def new(_: object) -> bool:
            given = [payload for name, payload in self._messages[self.since :] if name == topic and payload]
            found[:] = [message for message in map(json.loads, given) if wanted(message)]
            return bool(found)

        self.wait_for(topic, new)
        return found[0]

    def change(self, what: str) -> dict[str, Any]:
        """Wait for the event of a change after the mark, and return its data."""
        data: dict[str, Any] = self.later("events/settings", lambda m: m["data"]["what"] == what)["data"]
        return data


def frames(consumer: Later, camera: str) -> list[int]:
    """Sequence numbers of the published frames of a camera."""
    return [
        json.loads(payload)["sequence"] for payload in consumer.payloads(f"detections/{camera}") if payload
    ]


def test_a_changed_file_takes_effect_and_no_frame_is_lost(board: Board, broker: Mosquitto) -> None:
    with Later(broker.port, "board") as consumer, board.runs() as daemon:
        consumer.wait_for("detections/yard", lambda m: m["detections"])
        consumer.wait_for("objects/yard", lambda m: m["event"] == "new")

        def reload() -> dict[str, Any]:
            board.write()
            consumer.mark()
            daemon.process.send_signal(signal.SIGHUP)
            found = consumer.change("reload")
            daemon.wait_for_notification("RELOADING=1")
            daemon.wait_for_notification("READY=1")
            return found

        # a threshold
        board.settings["model"]["score_threshold"] = 0.99
        assert reload() == {
            "what": "reload",
            "by": "SIGHUP",
            "ok": True,
            "applied": "model.score_threshold",
        }
        consumer.later("detections/yard", lambda m: not m["detections"])
        del board.settings["model"]["score_threshold"]
        assert reload()["applied"] == "model.score_threshold"
        consumer.later("detections/yard", lambda m: m["detections"])

        # a camera comes, changes its stream, and goes
        dock = board.camera("dock", zones=[{"name": "ramp", "polygon": EVERYWHERE}])
        board.settings["cameras"].append(dock)
        assert reload()["applied"] == "cameras.dock"
        consumer.later("detections/dock", lambda m: True)
        consumer.later("telemetry", lambda m: m["cameras"].get("dock", {}).get("frames_processed"))
        board.settings["cameras"][1] = {**dock, "width": 640, "source": str(board.folder / "away.avi")}
        assert reload()["applied"] == "cameras.dock.source, cameras.dock.width"
        consumer.later("alarm", lambda m: [p for p in m["problems"] if p.get("camera") == "dock"])
        del board.settings["cameras"][1]
        assert reload()["applied"] == "cameras.dock"
        consumer.later("alarm", lambda m: not m["problems"])
        consumer.later("telemetry", lambda m: list(m["cameras"]) == ["yard"])
        assert consumer.payloads("zones/dock")[-1] == b"", "its retained message is removed"

        # zones, while the objects of the camera go on
        board.yard["zones"] = [{"name": "corner", "polygon": CORNER}]
        assert reload()["applied"] == "cameras.yard.zones"
        assert list(consumer.later("zones/yard", lambda m: "corner" in m["zones"])["zones"]) == ["corner"]

        # rates
        board.settings["telemetry"]["interval"] = "300ms"
        assert reload()["applied"] == "telemetry.interval"
        consumer.later("telemetry", lambda m: m["interval_s"] < 0.9)

        # what needs a new start is told, and the rest is applied
        board.settings["model"] |= {"threads": 2, "score_threshold": 0.3}
        found = reload()
        assert (found["applied"], found["waiting"]) == ("model.score_threshold", "model.threads")

        # a file with a mistake changes nothing
        board.settings["cameras"].append(board.camera("dock"))
        board.settings["telemetry"]["interval"] = "never"
        found = reload()
        assert found["ok"] is False
        assert "telemetry.interval: expected a duration" in found["error"]
        last = frames(consumer, "yard")[-1]
        consumer.later("detections/yard", lambda m: m["sequence"] > last + 2)

        assert daemon.stop() == 0, daemon.log()
        seen = frames(consumer, "yard")
        assert seen == list(range(seen[0], seen[-1] + 1)), "a frame of the camera that stayed was lost"
        assert "Traceback" not in daemon.log()


def test_what_cannot_be_applied_is_taken_back(board: Board, broker: Mosquitto) -> None:
    with Later(broker.port, "board") as consumer, board.runs() as daemon:
        with pytest.raises(ConfigurationError, match=r"model\.engine: needs a new start"):
            ask_agent(board.state, {"request": "set", "values": {"model.engine": "tflite"}})
        with pytest.raises(ConfigurationError, match="did you mean score_threshold"):
            ask_agent(board.state, {"request": "set", "values": {"model.score_treshold": 0.5}})
        requests: tuple[Any, ...] = (
            {},
            [],
            {"request": "halt"},
            {"request": "undo", "keys": "all"},
            {"request": "set"},
        )
        for request in requests:
            with pytest.raises(ConfigurationError):
                ask_agent(board.state, request)
        assert ask_agent(board.state, {"request": "show"})["waiting"] == {}
        (board.state / "live.yaml.new").mkdir(parents=True)  # live changes cannot be kept
        values = {"cameras.dock": board.camera("dock")}
        with pytest.raises(EdgeagentError, match="cannot be written"):
            ask_agent(board.state, {"request": "set", "values": values})
        (board.state / "live.yaml.new").rmdir()
        consumer.mark()
        assert ask_agent(board.state, {"request": "set", "values": values})["applied"] == ["cameras.dock"]
        consumer.later("detections/dock", lambda m: True)
        assert daemon.stop() == 0, daemon.log()
        assert not (board.state / "control.sock").exists()
        assert "Traceback" not in daemon.log()


def command(consumer: Later, number: int, **fields: Any) -> dict[str, Any]:
    """Send a command, and return the reply; messages count from here on."""
    consumer.mark()
    consumer.publish("cmd", json.dumps({"request_id": str(number), **fields}).encode())
    reply: dict[str, Any] = consumer.wait_for("reply", lambda m: m["request_id"] == str(number))
    return reply


def test_commands_set_and_undo_and_last_over_a_restart(board: Board, broker: Mosquitto) -> None:
    with Later(broker.port, "board") as consumer, board.runs() as daemon:
        reply = command(consumer, 1, command="set", by="anna", values={"model.score_threshold": 0.99})
        assert reply["result"] == "applied: model.score_threshold"
        assert result_of(consumer)["by"] == "mqtt, anna"
        consumer.later("detections/yard", lambda m: not m["detections"])
        refused = {
            "cameras.yard.source": "0",
            "cameras.yard.masks": [],
            "cameras.dock": {"source": "0"},
            "mqtt.commands": False,
            "snapshots.folder": "/tmp",
            "no_such_key": 1,
        }
        for number, (key, value) in enumerate(refused.items(), start=10):
            reply = command(consumer, number, command="set", values={key: value})
            assert reply["error"] == f"{key}: is not set from outside"
        reply = command(consumer, 20, command="set", values={"model.score_threshold": "high"})
        assert "model.score_threshold: expected a number" in reply["error"]
        reply = command(consumer, 21, command="set", values={"events.moved": 0.5, "tracking.tracker": "off"})
        assert "tracking.tracker: needs a new start" in reply["error"]
        zones = [{"name": "gate", "polygon": EVERYWHERE}]
        assert command(consumer, 22, command="set", values={"cameras.yard.zones": zones})["ok"]
        assert daemon.stop() == 0, daemon.log()
    with Later(broker.port, "board") as consumer, board.runs() as daemon:
        consumer.later("detections/yard", lambda m: not m["detections"])
        consumer.later("zones/yard", lambda m: list(m["zones"]) == ["gate"])
        layers = {one["key"]: one for one in ask_agent(board.state, {"request": "show"})["keys"]}
        assert layers["model.score_threshold"]["layer"] == "live"
        assert layers["model.score_threshold"]["by"] == "mqtt, anna"
        assert layers["device"]["layer"] == "file"
        assert "no live change of device" in command(consumer, 30, command="undo", keys=["device"])["error"]
        reply = command(consumer, 31, command="undo", keys=["model"])
        assert reply["result"] == "applied: model.score_threshold"
        consumer.later("detections/yard", lambda m: m["detections"])
        assert command(consumer, 32, command="undo")["result"] == "applied: cameras.yard.zones"
        consumer.later("zones/yard", lambda m: list(m["zones"]) == ["all"])
        assert daemon.stop() == 0, daemon.log()


def result_of(consumer: Later) -> dict[str, Any]:
    """Return the data of the last event of a change."""
    consumer.wait_for("events/settings", lambda m: True)
    data: dict[str, Any] = json.loads(consumer.payloads("events/settings")[-1])["data"]
    return data
