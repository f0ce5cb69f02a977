"""Messages on their way, with a real mosquitto and a real disk: what waits, what is sent, what is kept."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.mqtt.spool import Spool
from tests.broker import PATIENCE, Mosquitto
from tests.telemetry.publishing import late, numbered, publishing, settings
from tests.telemetry.subscriber import Arrival, Subscriber, keeping_sessions


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, keeping_sessions(tmp_path)) as broker:
        yield broker


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    """One whose session the broker has on disk."""
    with Subscriber(broker.port, "board") as subscriber:
        broker.stop()
        broker.start()
        yield subscriber


@pytest.fixture
def spool(tmp_path: Path) -> Callable[[], Spool]:
    return lambda: Spool(tmp_path / "state" / "spool.db", 50_000_000, 604_800.0)


def publish(publisher: MqttPublisher, numbers: range, topic: str = "telemetry") -> None:
    for number in numbers:
        publisher.publish(topic, numbered(number), qos=1)
    assert publisher.flush(PATIENCE)


def wait_until(publisher: MqttPublisher, reached: Callable[[MqttPublisher], bool]) -> None:
    """Let the outbox go round until its state is as wanted."""
    deadline = time.monotonic() + PATIENCE
    while not reached(publisher):
        assert time.monotonic() < deadline, publisher.spool
        assert publisher.flush(PATIENCE)


def waiting(publisher: MqttPublisher) -> int:
    state = publisher.spool
    assert state is not None
    return state.waiting


def sequences(arrivals: list[Arrival]) -> list[Any]:
    return [
        json.loads(a.payload)["sequence"] for a in arrivals if a.topic.startswith(("telemetry", "events"))
    ]


def test_what_the_broker_acknowledges_never_touches_the_disk(
    broker: Mosquitto, subscriber: Subscriber, spool: Callable[[], Spool], tmp_path: Path
) -> None:
    with publishing(settings(broker.port), spool) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        assert publisher.flush(PATIENCE)
        log = tmp_path / "state" / "spool.db-wal"
        before = log.stat().st_size
        for number in range(50):
            publish(publisher, range(number, number + 1))
            subscriber.wait_for("telemetry", numbered(number))
        assert log.stat().st_size == before
        assert waiting(publisher) == 0


def test_messages_of_a_run_without_a_broker_are_replayed_by_the_next(
    broker: Mosquitto, subscriber: Subscriber, spool: Callable[[], Spool]
) -> None:
    broker.stop()
    with publishing(settings(broker.port), spool) as publisher:
        publish(publisher, range(60))
        publish(publisher, range(60, 62), "events/camera")
        assert waiting(publisher) == 62
        assert not publisher.dropped
    broker.start()
    with publishing(settings(broker.port), spool) as publisher:
        subscriber.wait_for("events/camera", late(61))
        assert [a.payload for a in subscriber.arrivals() if a.topic == "telemetry"] == [*map(late, range(60))]
        assert subscriber.payloads("events/camera") == [late(60), late(61)]
        wait_until(publisher, lambda p: waiting(p) == 0)
    with publishing(settings(broker.port), spool) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        publish(publisher, range(100, 101))
        subscriber.wait_for("telemetry", numbered(100))
    assert sequences(subscriber.arrivals()) == [*range(62), 100], "nothing twice"


def test_what_is_new_does_not_wait_for_what_is_old(
    broker: Mosquitto, subscriber: Subscriber, spool: Callable[[], Spool]
) -> None:
    broker.stop()
    with publishing(settings(broker.port), spool) as publisher:
        publish(publisher, range(100))
    broker.start()
    with publishing(settings(broker.port), spool, replay=20.0) as publisher:
        subscriber.wait_for("telemetry", late(0))
        publish(publisher, range(100, 110))
        subscriber.wait_for("telemetry", numbered(109))
        assert late(99) not in subscriber.payloads("telemetry")
        subscriber.wait_for("telemetry", late(99))
    arrived = subscriber.payloads("telemetry")
    assert sorted(arrived) == sorted([*map(late, range(100)), *map(numbered, range(100, 110))])
    assert [p for p in arrived if b"historical" in p] == [*map(late, range(100))]
    assert [p for p in arrived if b"historical" not in p] == [*map(numbered, range(100, 110))]


def test_a_broker_that_acknowledges_late_gets_each_message_once(
    broker: Mosquitto, subscriber: Subscriber, spool: Callable[[], Spool]
) -> None:
    with publishing(settings(broker.port), spool) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publish(publisher, range(30))  # more than are on their way at once
            wait_until(publisher, lambda p: waiting(p) == 30)  # not acknowledged for a while: to the disk
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        wait_until(publisher, lambda p: waiting(p) == 0)
        subscriber.wait_until(lambda arrivals: len(sequences(arrivals)) >= 30)
        subscriber.mark()
    assert sequences(subscriber.arrivals()) == [*range(30)]
    assert subscriber.payloads("telemetry") == [*map(numbered, range(20)), *map(late, range(20, 30))]
    assert not publisher.dropped


def test_a_broker_that_dies_while_it_gets_the_past_gets_all_of_it(
    broker: Mosquitto, subscriber: Subscriber, spool: Callable[[], Spool]
) -> None:
    broker.stop()
    with publishing(settings(broker.port), spool) as publisher:
        publish(publisher, range(150))
    broker.start()
    with publishing(settings(broker.port), spool, replay=100.0) as publisher:
        subscriber.wait_for("telemetry", late(20))
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        publish(publisher, range(150, 160))
        broker.start()
        subscriber.wait_for("telemetry", late(159))
        wait_until(publisher, lambda p: waiting(p) == 0)
        subscriber.mark()
    arrived = sequences(subscriber.arrivals())
    first = sorted(set(arrived), key=arrived.index)
    assert first == [*range(160)]
    assert len(arrived) - len(first) <= 10, "only what was on its way comes twice"


def test_an_event_is_on_the_disk_before_it_is_sent(broker: Mosquitto, spool: Callable[[], Spool]) -> None:
    with publishing(settings(broker.port), spool) as publisher:
        assert publisher.wait_for("connected", PATIENCE)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            publish(publisher, range(1), "telemetry")
            publish(publisher, range(1, 2), "events/camera")
            assert waiting(publisher) == 1
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        wait_until(publisher, lambda p: waiting(p) == 0)


def test_a_message_that_the_broker_refuses_is_counted_and_not_sent_for_ever(
    tmp_path: Path, spool: Callable[[], Spool], caplog: pytest.LogCaptureFixture
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite edgeagent/v1/board/telemetry\n", encoding="utf-8")
    with (
        Mosquitto(tmp_path, ("allow_anonymous true", f"acl_file {acl}")) as broker,
        publishing(settings(broker.port), spool) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        publish(publisher, range(1), "events/camera")
        publish(publisher, range(1))
        wait_until(publisher, lambda p: "events" in p.dropped)
        wait_until(publisher, lambda p: waiting(p) == 0)
        assert publisher.dropped == {"events": 1, "status": 1, "info": 1}
    assert (
        "a message of events/camera is dropped, and so will be others of it: the broker refuses it (Not auth"
        in caplog.text
    )


def test_a_message_that_is_too_large_for_the_broker_is_counted_and_the_others_arrive(
    tmp_path: Path, spool: Callable[[], Spool], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Mosquitto(tmp_path, ("allow_anonymous true", "max_packet_size 2000")) as broker,
        Subscriber(broker.port, "board") as subscriber,
        publishing(settings(broker.port), spool) as publisher,
    ):
        assert publisher.wait_for("connected", PATIENCE)
        publisher.publish("telemetry", b'{"text":"%s"}' % (b"x" * 2000), qos=1)
        publish(publisher, range(1))
        subscriber.wait_for("telemetry", numbered(0))
        wait_until(publisher, lambda p: p.dropped == {"telemetry": 1})
        assert publisher.state == "connected"
    assert "the broker takes 2000" in caplog.text


def test_without_a_disk_messages_wait_in_memory_and_that_is_told_once(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")

    def no_spool() -> Spool:
        return Spool(tmp_path / "file" / "spool.db", 50_000_000, 604_800.0)

    broker.stop()
    with publishing(settings(broker.port, queue=5), no_spool) as publisher:
        publish(publisher, range(2), "events/camera")
        publish(publisher, range(2, 10))
        assert publisher.spool is not None
        assert not publisher.spool.on_disk
        assert publisher.dropped == {"telemetry": 5}
        broker.start()
        subscriber.wait_for("telemetry", late(9))
    assert sequences(subscriber.arrivals()) == [0, 1, 7, 8, 9]
    assert caplog.text.count("messages wait in memory until the disk takes them") == 1


def test_a_spool_that_comes_later_takes_what_waits_in_memory(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another agent has it first; what it leaves behind is older, and is sent first."""
    monkeypatch.setattr("edgeagent.telemetry.mqtt.fault_tolerant_spool.RETRY_S", 0.2)

    def open_spool() -> Spool:
        return Spool(tmp_path / "spool.db", 50_000_000, 604_800.0)

    broker.stop()
    with publishing(settings(broker.port), open_spool) as first:
        publish(first, range(10))
        with publishing(settings(broker.port), open_spool) as second:
            publish(second, range(10, 20))
            assert waiting(second) == 0
            first.stop()
            wait_until(second, lambda p: waiting(p) == 20)
            broker.start()
            subscriber.wait_for("telemetry", late(19))
    assert sequences(subscriber.arrivals()) == [*range(20)]


def test_a_spool_that_rots_while_it_is_used_is_begun_anew(
    broker: Mosquitto, subscriber: Subscriber, tmp_path: Path, spool: Callable[[], Spool]
) -> None:
    broker.stop()
    with publishing(settings(broker.port), spool) as publisher:
        publish(publisher, range(2000))
    path = tmp_path / "state" / "spool.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with publishing(settings(broker.port), spool) as publisher:
        publish(publisher, range(2000, 2010))
        assert publisher.spool is not None
        assert publisher.spool.damaged == 1
        assert waiting(publisher) == 10
        broker.start()
        subscriber.wait_for("telemetry", late(2009))
    assert sequences(subscriber.arrivals()) == [*range(2000, 2010)]
