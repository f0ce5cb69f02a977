"""A running daemon says how well its model does: golden pictures, feedback, and drift over a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.publish as mqtt
import pytest

from edgeagent.accuracy.live.feedback_handler import MOST_BYTES
from edgeagent.accuracy.proportion import wilson_interval
from edgeagent.bundle.reading import open_bundle
from edgeagent.files.resources import sample_clip
from tests.broker import Mosquitto
from tests.daemon.running import Consumer, Daemon, running
from tests.included import QUICK_BUNDLE, QUICK_NAME


@contextmanager
def device(folder: Path, port: int, accuracy: dict[str, Any]) -> Iterator[tuple[Daemon, Consumer]]:
    (folder / "notify").unlink(missing_ok=True)
    wanted = {
        "device": "board",
        "state": str(folder / "state"),
        "cameras": [{"name": "yard", "source": str(sample_clip()), "loop": True}],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "accuracy": {"interval": "1s", **accuracy},
    }
    with Consumer(port, "board") as consumer, running(folder, wanted) as daemon:
        daemon.wait_until_detecting()
        yield daemon, consumer


def say(port: int, **feedback: Any) -> None:
    payload = json.dumps(feedback)
    mqtt.single("edgeagent/v1/board/feedback", payload, qos=1, hostname="127.0.0.1", port=port)


def test_golden_pictures_feedback_and_a_reference_that_survives_a_restart(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    with Mosquitto(tmp_path) as broker:
        with device(tmp_path, broker.port, {"feedback": True}) as (daemon, consumer):
            first = consumer.wait_for("accuracy", lambda m: "golden" in m)
            golden, claims = first["golden"], open_bundle(QUICK_BUNDLE).manifest.golden
            assert claims is not None
            assert claims.accuracy is not None
            assert golden["claimed"] == claims.accuracy.claims["model.onnx"]
            assert golden["map50_95"] >= golden["claimed"] - golden["tolerance"]
            assert golden["serving"] == "onnxruntime-cpu model.onnx"
            assert golden["pictures"] == len(claims.pictures)
            assert golden["labelled_by"] == "float model"
            assert "reason" not in golden

            frame = consumer.wait_for("detections/yard", lambda m: len(m["detections"]) > 1)
            about = {"source": "test", "camera": "yard", "run": frame["run"], "sequence": frame["sequence"]}
            count = len(frame["detections"])
            verdicts = [{"detection": place, "right": place > 0} for place in range(count)]
            say(broker.port, request_id="a", verdicts=verdicts, missed=["person"], **about)
            assert consumer.wait_for("reply", lambda m: m["request_id"] == "a")["ok"]
            say(broker.port, request_id="b", verdicts=verdicts, **about)
            assert "judged before" in consumer.wait_for("reply", lambda m: m["request_id"] == "b")["error"]
            say(broker.port, request_id="c", **about)
            assert "either" in consumer.wait_for("reply", lambda m: m["request_id"] == "c")["error"]
            say(broker.port, request_id="d", verdicts=verdicts, **{**about, "run": 99})
            assert "run" in consumer.wait_for("reply", lambda m: m["request_id"] == "d")["error"]
            say(broker.port, request_id="e", padding="x" * MOST_BYTES)
            told = consumer.wait_for("accuracy", lambda m: m.get("feedback", {}).get("refused") == 4)[
                "feedback"
            ]
            low, high = wilson_interval(count - 1, count)
            assert told["precision"] == {
                "value": round(1 - 1 / count, 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "hits": count - 1,
                "count": count,
            }
            assert (told["recall"]["hits"], told["recall"]["count"]) == (count - 1, count)
            assert (told["frames"], told["sources"], told["labels"]) == (1, {"test": 1}, {})
            consumer.wait_for("accuracy", lambda m: m["drift"]["yard"]["reference_frames"] > 0)
            assert daemon.stop() == 0, daemon.log()
            last = json.loads(consumer.payloads("accuracy")[-1])["drift"]["yard"]["reference_frames"]
        with device(tmp_path, broker.port, {"golden_every": None}) as (daemon, consumer):
            later = consumer.wait_for("accuracy", lambda m: m["run"] == 2)
            assert later["drift"]["yard"]["reference_frames"] >= last
            more = consumer.wait_for("accuracy", lambda m: m["drift"]["yard"]["reference_frames"] > last)
            assert more["drift"]["yard"]["state"] == "collecting"
            assert more["run"] == 2
            assert not any("golden" in json.loads(one) for one in consumer.payloads("accuracy")[1:])
            assert daemon.stop() == 0, daemon.log()


def test_a_reference_model_is_compared_on_live_frames(tmp_path: Path) -> None:
    reference = {"agreement_every": 2, "agreement_reference": str(QUICK_BUNDLE), "golden_every": None}
    with Mosquitto(tmp_path) as broker, device(tmp_path, broker.port, reference) as (daemon, consumer):
        told = consumer.wait_for("accuracy", lambda m: m["agreement"]["matched"] > 0)["agreement"]
        manifest = open_bundle(QUICK_BUNDLE).manifest
        assert told["reference"] == f"{manifest.name} {manifest.version}"
        assert told["matched_share"] == 1.0, "the model agrees with itself"
        assert told["mean_score_difference"] == 0.0
        assert told["boxes"] == 2 * told["matched"]
        assert told["frames"] > 0
        assert daemon.stop() == 0, daemon.log()


def test_without_a_reference_the_message_says_why(tmp_path: Path) -> None:
    wanted = {"agreement_every": 2, "golden_every": None, "drift": False}
    with Mosquitto(tmp_path) as broker, device(tmp_path, broker.port, wanted) as (daemon, consumer):
        told = consumer.wait_for("accuracy", lambda m: "reason" in m["agreement"])
        assert "there is no good model before" in told["agreement"]["reason"]
        assert "matched_share" not in told["agreement"]
        assert not {"golden", "drift", "feedback"} & set(told)
        assert daemon.stop() == 0, daemon.log()
