"""Feedback as it comes over MQTT: counted once, answered where asked for, bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.publish as mqtt
import pytest

from edgeagent.accuracy.live.feedback_handler import FEEDBACK, MOST_BYTES, FeedbackHandler
from edgeagent.accuracy.live.reports import LEAST_OF_LABEL
from edgeagent.accuracy.proportion import wilson_interval
from edgeagent.detection.detector import Detector, load_bundle_detector
from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.telemetry.mqtt.command_topic import CommandTopic, RequestLimits
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.engines import cell_detector as cells
from tests.telemetry.mqtt.test_command_topic import await_until
from tests.telemetry.publishing import settings
from tests.telemetry.subscriber import Subscriber

RIGHT = [{"detection": 0, "right": True}, {"detection": 1, "right": False}]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Finds two persons."""
    bundle = cells.build_bundle(tmp_path_factory.mktemp("cells") / "bundle")
    return load_bundle_detector(bundle, "onnxruntime", 1, 0.65)


def handler(detector: Detector, frames: int = 100, run: int | None = 17) -> FeedbackHandler:
    """A handler of published frames 0 to 99."""
    found = detector.detect(cells.picture(), detector.allocate(), 0.3)
    made = FeedbackHandler(["yard"], run, frames, detector.description)
    for sequence in range(100):
        frame = Frame(np.zeros((2, 2, 3), np.uint8), sequence, 0, 0.0)
        made.record(Result("yard", frame, found, detector, 1))
    return made


def say(at: FeedbackHandler, sequence: int = 5, retained: bool = False, **more: Any) -> tuple[bool, str]:
    about = {"request_id": "a", "source": "guard", "camera": "yard", "run": 17, "sequence": sequence}
    answer = at.answer(json.dumps({**about, **more}).encode(), retained)
    assert answer is not None
    assert answer.request_id == "a"
    return answer.ok, answer.text


def test_precision_and_recall_come_with_their_intervals(detector: Detector) -> None:
    at = handler(detector)
    assert at.report(0) is None
    for sequence in range(LEAST_OF_LABEL // 2 - 1):
        assert say(at, sequence, verdicts=RIGHT) == (True, "counted")
    before = at.report(0)
    assert before is not None
    assert before.recall is None, "nobody said what was missed"
    assert before.labels == {}, "too few for a label"
    assert say(at, 60, verdicts=RIGHT, missed=["person", "Straßenbahn"])[0]
    told = at.report(3)
    assert told is not None
    low, high = wilson_interval(15, 30)
    assert told.precision is not None
    assert (told.precision.hits, told.precision.count, told.precision.value) == (15, 30, 0.5)
    assert (told.precision.low, told.precision.high) == (round(low, 4), round(high, 4))
    assert told.recall is not None
    assert (told.recall.hits, told.recall.count) == (1, 3)
    assert list(told.labels) == ["person"]
    assert told.labels["person"].precision == told.precision
    assert told.labels["person"].recall is None
    assert (told.frames, told.sources, told.refused, told.ignored) == (15, {"guard": 15}, 0, 3)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"sequence": 100}, "frame 100 of camera yard is not remembered"),
        ({"camera": "gate"}, "there is no gate on this device"),
        ({"run": 16}, "this is 17, frames of 16"),
        ({"run": None}, "this is 17, frames of None"),
        ({"verdicts": None}, "either verdicts or objects"),
        ({"verdicts": [{"detection": 7, "right": True}]}, "there is no 7"),
        ({"retained": True}, "publish it without retain"),
        ({"unknown": 1}, "unknown: Extra inputs"),
    ],
)
def test_what_cannot_be_used_is_answered_and_counted(
    detector: Detector, more: dict[str, Any], why: str
) -> None:
    at = handler(detector)
    ok, text = say(at, **{"verdicts": RIGHT, **more})
    assert not ok
    assert why in text
    report = at.report(0)
    assert report is not None
    assert (report.refused, report.frames) == (1, 0)
    assert report.precision is None
    assert say(at, verdicts=RIGHT) == (True, "counted"), "the frame is still there"


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b"[]", b"x" * (MOST_BYTES + 1), b'{"request_id": 1}']
)
def test_what_is_no_feedback_is_counted_and_not_answered(detector: Detector, payload: bytes) -> None:
    at = handler(detector)
    assert at.answer(payload, False) is None
    report = at.report(0)
    assert report is not None
    assert report.refused == 1


def test_a_judgement_that_comes_twice_counts_once(detector: Detector) -> None:
    at = handler(detector)
    assert [say(at, verdicts=RIGHT)[0] for _ in range(3)] == [True, False, False]
    report = at.report(0)
    assert report is not None
    assert (report.frames, report.refused) == (1, 2)


def test_memory_is_as_long_as_is_asked_for(detector: Detector) -> None:
    at = handler(detector, frames=10)
    assert not say(at, 89, verdicts=RIGHT)[0]
    assert say(at, 90, verdicts=RIGHT)[0]


def test_another_model_begins_anew(detector: Detector) -> None:
    at = handler(detector)
    assert say(at, 1, verdicts=RIGHT)[0]
    at.reset(detector.description.model_copy())
    assert not say(at, 2, verdicts=RIGHT)[0]
    report = at.report(0)
    assert report is not None
    assert (report.frames, report.refused) == (0, 1)
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 3, 0, 0.0)
    at.record(Result("yard", frame, detector.detect(cells.picture(), detector.allocate(), 0.3), detector, 1))
    assert not say(at, 3, verdicts=RIGHT)[0], "a frame of the model that has left"


def test_a_run_without_a_number_takes_feedback_without_one(detector: Detector) -> None:
    at = handler(detector, run=None)
    assert say(at, run=None, verdicts=RIGHT)[0]
    assert not say(at, 6, verdicts=RIGHT)[0]


def test_a_flood_is_bounded_and_counted(detector: Detector, tmp_path: Path) -> None:
    at = handler(detector)
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port, "board") as subscriber:
        publisher = MqttPublisher(settings(broker.port), "board")
        topic = CommandTopic(publisher, at, FEEDBACK, RequestLimits(4, PATIENCE, burst=None))
        publisher.start()
        try:
            subscriber.wait_until(lambda arrivals: any(a.payload == b"online" for a in arrivals))  # and heard
            about = {"source": "guard", "camera": "yard", "run": 17, "verdicts": RIGHT}
            flood = [
                (
                    f"{ROOT}/board/{FEEDBACK}",
                    json.dumps({**about, "request_id": str(n), "sequence": n}),
                    1,
                    False,
                )
                for n in range(50)
            ]
            mqtt.multiple(flood, hostname="127.0.0.1", port=broker.port)  # type: ignore[arg-type]
            await_until(lambda: topic.ignored == 46)
            topic.start()
            subscriber.wait_until(lambda arrivals: any(a.topic == "reply" for a in arrivals))
            report = at.report(topic.ignored)
        finally:
            topic.stop()
            publisher.stop()
    assert report is not None
    assert (report.frames, report.ignored) == (1, 46)
