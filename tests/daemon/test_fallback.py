"""The daemon goes on when its engine does not, and says so to everybody who listens."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.broker import Mosquitto
from tests.daemon.running import PATIENCE, Consumer, Daemon, running, serving_worker
from tests.daemon.test_run import settings
from tests.included import QUICK_BUNDLE

TRIED = (
    "tflite-xnnpack model.tflite: computes what was trained",
    "onnxruntime-cpu model.onnx: computes what was trained",
)
"""Log lines after which no worker runs but the one that serves."""


@pytest.fixture(autouse=True)
def _own_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each agent try its delegates, which those before have tried."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def worker(daemon: Daemon) -> psutil.Process:
    return serving_worker(daemon.process.pid)


def detects(consumer: Consumer) -> None:
    before = len(consumer.payloads("detections/yard"))
    consumer.wait_for("detections/yard", lambda m: len(consumer.payloads("detections/yard")) > before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_an_engine_that_crashes_serves_again_and_after_the_next_crash_another(
    number: signal.Signals, pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    """The first choice is the one that loads faster: only such a one is restarted before the others."""
    wanted = settings(pictures, broker.port, loop=True, pace="unthrottled")
    wanted["model"] = {"threads": 1, "engine": "tflite-xnnpack, onnxruntime-cpu", "bundle": str(QUICK_BUNDLE)}
    wanted["telemetry"] |= {"detections": "frames", "detections_empty": True}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        consumer.wait_for("alarm", lambda m: m.get("serving") == "tflite-xnnpack model.tflite")
        daemon.wait_for_log(*TRIED)
        os.kill(worker(daemon).pid, number)
        event = consumer.wait_for("events/delegate", lambda m: "died of" in m["text"])
        assert event["data"]["best"] is True
        assert f"died of {number.name}" in event["text"]
        detects(consumer)
        os.kill(worker(daemon).pid, number)
        alarm = consumer.wait_for("alarm", lambda m: m["problems"] and "serving" in m)
        assert alarm.get("serving") == "onnxruntime-cpu model.onnx"
        assert f"died of {number.name}" in alarm["problems"][0]["text"]
        detects(consumer)
        assert daemon.stop() == 0, daemon.log()


def test_an_engine_that_hangs_costs_an_alarm_and_no_camera(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True, pace="unthrottled")
    wanted["model"] = {"threads": 1, "engine": "onnxruntime-cpu, tflite-xnnpack"}
    wanted["telemetry"] |= {"detections": "frames", "detections_empty": True}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        consumer.wait_for("alarm", lambda m: m.get("serving") == "onnxruntime-cpu model.onnx")
        daemon.wait_for_log(*TRIED)
        os.kill(worker(daemon).pid, signal.SIGSTOP)
        alarm = consumer.wait_for("alarm", lambda m: m["problems"] and "serving" in m)
        assert alarm.get("serving") == "tflite-xnnpack model.tflite"
        (problem,) = alarm["problems"]
        assert problem["code"] == "fallback_delegate"
        assert "no answer within" in problem["text"]
        consumer.wait_for("info", lambda m: m["engine"]["name"] == "tflite")
        detects(consumer)
        consumer.wait_for(
            "alarm", lambda m: not m["problems"] and m["time"] > alarm["time"]
        )  # the first choice is back
        assert daemon.stop() == 0, daemon.log()


def test_it_stops_in_time_while_the_engine_and_the_broker_hang(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True, pace="unthrottled")
    wanted["model"] = {"threads": 1, "engine": "onnxruntime-cpu"}
    wanted["accuracy"] = {"golden_every": "1s"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        consumer.wait_for("accuracy", lambda m: "golden" in m)
        os.kill(worker(daemon).pid, signal.SIGSTOP)
        with broker.frozen():
            assert daemon.stop() == 0, daemon.log()


def test_with_no_engine_left_the_daemon_stays_and_says_not_detecting(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True)
    wanted["state"] = str(tmp_path / "state")
    model = tmp_path / "bundle"
    shutil.copytree(QUICK_BUNDLE, model)
    wanted["model"] = {"threads": 1, "engine": "onnxruntime-cpu", "bundle": str(model)}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        artefact = model / "model.onnx"
        content = artefact.read_bytes()
        artefact.write_bytes(b"gone")
        worker(daemon).kill()
        alarm = consumer.wait_for("alarm", lambda m: [p["code"] for p in m["problems"]] == ["not_detecting"])
        assert "serving" not in alarm
        after = consumer.wait_for("telemetry", lambda m: m["time"] > alarm["time"])
        assert after["cameras"]["yard"]["state"] == "running"
        artefact.write_bytes(content)
        consumer.wait_for("alarm", lambda m: not m["problems"] and m["time"] > alarm["time"])
        assert daemon.stop() == 0, daemon.log()
        assert "not detecting: " in daemon.log()


def test_with_no_engine_at_the_start_the_daemon_says_so_and_tries_again(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True)
    library = tmp_path / "libdelegate.so"  # not there yet
    wanted["model"] = {"threads": 1, "engine": "tflite-external", "library": {"path": str(library)}}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        consumer.wait_for("alarm", lambda m: [p["code"] for p in m["problems"]] == ["starting"])
        alarm = consumer.wait_for("alarm", lambda m: [p["code"] for p in m["problems"]] == ["not_detecting"])
        assert str(library) in alarm["problems"][0]["text"]
        assert consumer.wait_for("events/delegate", lambda m: not m["data"]["best"])["sequence"] == 1
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log()
        consumer.wait_for_status(b"stopped")
        assert "trying all delegates again in 5 s" in daemon.log()
        assert "Traceback" not in daemon.log()


def test_an_engine_that_can_never_work_ends_the_daemon(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True)
    wanted["model"] = {"threads": 1, "engine": "hailo"}
    with running(tmp_path, wanted) as daemon:
        assert daemon.wait() == 4
        assert "none of it runs on hailo" in daemon.log()


def test_the_engine_ends_with_the_daemon(pictures: Path, tmp_path: Path) -> None:
    with running(tmp_path, settings(pictures, loop=True)) as daemon:
        daemon.wait_until_detecting()
        engine = worker(daemon)
        daemon.process.kill()
        engine.wait(PATIENCE)
        assert not engine.is_running()


def test_a_state_folder_that_cannot_be_used_stops_no_detection(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = {**settings(pictures, loop=True), "state": str(tmp_path / "file" / "state")}
    wanted["model"] = {"threads": 1, "engine": "onnxruntime-cpu"}
    with running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        daemon.wait_for_log("everything is tried again at the next start")
        assert daemon.stop() == 0
        assert "the journal of trials cannot be used" in daemon.log()


def test_a_first_choice_that_is_not_here_is_an_alarm_and_no_silence(
    pictures: Path, broker: Mosquitto, tmp_path: Path
) -> None:
    wanted = settings(pictures, broker.port, loop=True)
    wanted["model"] = {"threads": 1, "engine": "onnxruntime-tensorrt, onnxruntime-cpu"}
    with Consumer(broker.port, "board") as consumer, running(tmp_path, wanted) as daemon:
        daemon.wait_until_detecting()
        alarm = consumer.wait_for("alarm", lambda m: "serving" in m and m["problems"])
        assert [problem["code"] for problem in alarm["problems"]] == ["fallback_delegate"]
        assert "built without TensorrtExecutionProvider" in alarm["problems"][0]["text"]
        assert daemon.stop() == 0
