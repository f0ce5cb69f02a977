"""Detections at a real mosquitto: by change with the last state retained, of every frame, or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edgeagent.daemon.detection_messages import DetectionMessages
from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.vision.detections import Detections
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import publishing, settings
from tests.telemetry.subscriber import Subscriber

TOPIC = "detections/yard"
QUICK = {"moves_every": 1e-3, "settle": 1e-6}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def configured(folder: Path, camera: str = "yard", **telemetry: Any) -> Settings:
    return Settings.model_validate(
        {
            "device": "board",
            "state": folder,
            "cameras": [{"name": camera, "source": "0"}],
            "telemetry": {"detections_rate": 1e6, "detections_changes": QUICK, **telemetry},
        }
    )


def result(sequence: int, *boxes: tuple[float, float, float, float]) -> Result:
    """A frame with a person in each box."""
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.5, np.float32),
        np.zeros(len(boxes), np.int32),
        ("person",),
    )
    frame = Frame(np.zeros((48, 64, 3), np.uint8), sequence, 0, 0.0)
    return Result("yard", frame, found, cast("Any", None), 0)


BOX, MOVED = (1.0, 1.0, 21.0, 41.0), (31.0, 1.0, 51.0, 41.0)


def play(
    messages: DetectionMessages, first: int, *scenes: tuple[tuple[float, float, float, float], ...]
) -> None:
    """Show each scene for three frames."""
    for place, scene in enumerate(scenes):
        for frame in range(3):
            messages.frame(result(first + 3 * place + frame, *scene))


def reasons(payloads: list[bytes]) -> list[tuple[str, int]]:
    return [(m["reason"], len(m["detections"])) for m in (json.loads(payload) for payload in payloads)]


def marked(publisher: MqttPublisher, subscriber: Subscriber) -> None:
    """Wait until all that was published so far has arrived."""
    publisher.publish("picture/yard", b"end", qos=0)
    subscriber.wait_for("picture/yard", b"end")


def test_by_change_each_change_is_one_message_and_a_later_consumer_gets_the_last(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
        assert publisher.wait_for("connected", PATIENCE)
        messages = DetectionMessages(configured(tmp_path), 1, publisher, None)
        play(messages, 0, (), (BOX,), (BOX, MOVED), (MOVED,), ())
        marked(publisher, subscriber)
        found = reasons(subscriber.payloads(TOPIC))
        assert found[0] == ("start", 0)
        assert [count for reason, count in found if reason == "objects"] == [1, 2, 1, 0]
        with Subscriber(broker.port, "board") as late:
            late.wait_for(TOPIC, subscriber.payloads(TOPIC)[-1])


def test_a_change_while_the_broker_is_away_is_published_at_the_next_connect_and_is_no_loss(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with publishing(settings(broker.port)) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        messages = DetectionMessages(configured(tmp_path), 1, publisher, None)
        play(messages, 0, ())
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        play(messages, 3, (BOX,), (BOX, MOVED))
        broker.start()
        assert publisher.wait_for("connected", PATIENCE)
        with Subscriber(broker.port, "board") as late:
            late.wait_until(lambda arrivals: any(arrival.topic == TOPIC for arrival in arrivals))
            assert reasons(late.payloads(TOPIC))[-1] == ("objects", 2)
        assert publisher.dropped["detections"] == 0


@pytest.mark.parametrize(("empty", "expected"), [(False, 3), (True, 6)])
def test_frames_are_all_published_and_none_is_retained(
    broker: Mosquitto, tmp_path: Path, empty: bool, expected: int
) -> None:
    with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
        assert publisher.wait_for("connected", PATIENCE)
        chosen = configured(tmp_path, detections="frames", detections_empty=empty)
        play(DetectionMessages(chosen, 1, publisher, None), 0, (), (BOX,))
        marked(publisher, subscriber)
        found = reasons(subscriber.payloads(TOPIC))
        assert len(found) == expected
        assert {reason for reason, _ in found} == {"frame"}
        with Subscriber(broker.port, "board") as late:
            marked(publisher, late)
            assert late.payloads(TOPIC) == []


def test_of_frames_in_which_nothing_moved_none_is_published(broker: Mosquitto, tmp_path: Path) -> None:
    with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
        assert publisher.wait_for("connected", PATIENCE)
        messages = DetectionMessages(configured(tmp_path, detections="frames"), 1, publisher, None)
        messages.frame(result(0, BOX))
        messages.frame(replace(result(1, BOX), gated=True))
        marked(publisher, subscriber)
        assert reasons(subscriber.payloads(TOPIC)) == [("frame", 1)]


@pytest.mark.parametrize("quiet", [{"detections": "off"}, {"detections_rate": 0}])
def test_off_publishes_none(broker: Mosquitto, tmp_path: Path, quiet: dict[str, Any]) -> None:
    with publishing(settings(broker.port)) as publisher, Subscriber(broker.port, "board") as subscriber:
        assert publisher.wait_for("connected", PATIENCE)
        play(DetectionMessages(configured(tmp_path, **quiet), 1, publisher, None), 0, (BOX,))
        marked(publisher, subscriber)
        assert subscriber.payloads(TOPIC) == []
