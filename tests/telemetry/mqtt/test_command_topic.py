"""Commands through a real mosquitto."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.delivery.update.commands import Commands
from edgeagent.telemetry.mqtt.command_topic import BURST, FLOOD, MOST_WAITING, PER_SECOND, CommandTopic
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.broker import PATIENCE, Mosquitto
from tests.delivery.obedient import Obedient
from tests.telemetry.publishing import PROTOCOLS, Protocol, settings
from tests.telemetry.subscriber import Subscriber

CMD = "edgeagent/v1/board/cmd"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


class Slow(Obedient):
    """Obeys ``check_now`` only once it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def check_now(self) -> str:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        return super().check_now()


@contextmanager
def obeying(
    port: int, target: Obedient, protocol: Protocol = "5"
) -> Iterator[tuple[MqttPublisher, CommandTopic]]:
    """A device that obeys, from its start to its clean stop."""
    publisher = MqttPublisher(settings(port, protocol=protocol), "board")
    topic = CommandTopic(publisher, Commands(target, arming=target))
    topic.start()
    publisher.start()
    try:
        online(port)
        yield publisher, topic
    finally:
        topic.stop()
        publisher.stop()


def online(port: int) -> None:
    """Wait until whoever asks is told that the device is there."""
    with Subscriber(port, "board") as subscriber:
        subscriber.wait_for("status", b"online")


class Commander:
    """Somebody who gives commands and waits until the broker has them."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def __enter__(self) -> Commander:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, payload: bytes, retain: bool = False) -> None:
        self._client.publish(CMD, payload, qos=1, retain=retain).wait_for_publish(PATIENCE)

    def command(self, id_: str, command: str, **more: Any) -> None:
        self.say(json.dumps({"request_id": id_, "command": command, **more}).encode())


def replies(subscriber: Subscriber, count: int) -> list[Any]:
    """The first ``count`` replies, waited for, without their times."""
    subscriber.wait_until(lambda arrivals: sum(a.topic == "reply" for a in arrivals) >= count)
    found = [json.loads(payload) for payload in subscriber.payloads("reply")]
    assert all(reply.pop("time").endswith("Z") for reply in found)
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_command_is_obeyed_and_answered(broker: Mosquitto, protocol: Protocol) -> None:
    target = Obedient()
    with Subscriber(broker.port, "board") as subscriber, obeying(broker.port, target, protocol):
        with Commander(broker.port) as commander:
            commander.command("a", "pin", name="coco-nano", version="1.2.0")
            target.nothing_before = True
            commander.command("b", "rollback")
            commander.say(b"rubbish")
        first, second, third = replies(subscriber, 3)
        (arrival,) = [a for a in subscriber.arrivals() if a.topic == "reply"][:1]
        assert (arrival.qos, arrival.retain) == (1, False)
    assert first == {"request_id": "a", "ok": True, "result": "pin coco-nano 1.2.0"}
    assert second == {"request_id": "b", "ok": False, "error": "there is no good model before this one"}
    assert (third["ok"], "request_id" in third, "Invalid JSON" in third["error"]) == (False, False, True)
    assert target.done == ["pin coco-nano 1.2.0"]


def test_a_repeated_request_is_answered_twice_and_done_once(broker: Mosquitto) -> None:
    target = Obedient()
    with (
        Subscriber(broker.port, "board") as subscriber,
        obeying(broker.port, target),
        Commander(broker.port) as commander,
    ):
        commander.command("a", "rollback")
        commander.command("a", "rollback")
        first, second = replies(subscriber, 2)
    assert first == second == {"request_id": "a", "ok": True, "result": "rollback"}
    assert target.done == ["rollback"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_retained_command_is_answered_at_every_connect_and_never_obeyed(
    broker: Mosquitto, protocol: Protocol
) -> None:
    target = Obedient()
    with Subscriber(broker.port, "board") as subscriber:
        with Commander(broker.port) as commander:
            commander.say(b'{"request_id": "old", "command": "rollback"}', retain=True)
        for count in (1, 2):
            with obeying(broker.port, target, protocol):
                reply = replies(subscriber, count)[-1]
                assert (reply["request_id"], reply["ok"]) == ("old", False)
                assert "retained" in reply["error"]
    assert target.done == []


def test_a_command_that_takes_long_holds_up_nothing_else(broker: Mosquitto) -> None:
    target = Slow()
    with (
        Subscriber(broker.port, "board") as subscriber,
        obeying(broker.port, target) as (publisher, _),
        Commander(broker.port) as commander,
    ):
        commander.command("a", "check_now")
        assert target.begun.wait(PATIENCE)
        commander.command("b", "unpin")
        publisher.publish("telemetry", b"{}", qos=1)
        subscriber.wait_for("telemetry", b"{}")
        publisher.retain("deployment", b"{}")
        subscriber.wait_for("deployment", b"{}")
        assert subscriber.payloads("reply") == []
        target.go_on.set()
        assert [reply["request_id"] for reply in replies(subscriber, 2)] == ["a", "b"]
    assert target.done == ["check_now", "unpin"]


def test_a_flood_of_commands_is_bounded(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    target = Slow()
    with (
        Subscriber(broker.port, "board") as subscriber,
        obeying(broker.port, target) as (_, topic),
        Commander(broker.port) as commander,
    ):
        commander.command("a", "check_now")
        assert target.begun.wait(PATIENCE)
        for number in range(MOST_WAITING + 5):
            commander.command(f"n{number}", "unpin")
        commander.say(b"", retain=True)  # the last one; it is ignored as well
        await_until(lambda: topic.ignored == 6)
        target.go_on.set()
        answers = replies(subscriber, 2 + MOST_WAITING)
    assert target.done == ["check_now", *["unpin"] * MOST_WAITING]
    refusals = [answer for answer in answers if not answer["ok"]]
    assert refusals == [{"ok": False, "error": FLOOD}]  # once
    assert "cmd: 1 ignored so far" in caplog.text
    assert "cmd: 3 ignored" not in caplog.text  # the log is not flooded


def test_a_flood_that_is_obeyed_quickly_is_bounded_too(broker: Mosquitto) -> None:
    target = Obedient()
    sent = 4 * BURST
    with (
        Subscriber(broker.port, "board") as subscriber,
        obeying(broker.port, target) as (_, topic),
        Commander(broker.port) as commander,
    ):
        begun = time.monotonic()
        for number in range(sent):
            commander.command(f"n{number}", "unpin")
        await_until(lambda: len(target.done) + topic.ignored == sent)
        allowed = BURST + PER_SECOND * (time.monotonic() - begun)
        assert 0 < len(target.done) <= allowed
        subscriber.wait_until(
            lambda arrivals: (
                FLOOD in [json.loads(a.payload).get("error") for a in arrivals if a.topic == "reply"]
            )
        )
    assert topic.ignored > 0


def test_a_command_to_a_device_that_is_away_is_lost(tmp_path: Path) -> None:
    target = Obedient()
    with Mosquitto(tmp_path) as broker, Subscriber(broker.port, "board") as subscriber:
        with obeying(broker.port, target):
            pass
        with Commander(broker.port) as commander:
            commander.command("a", "rollback")
            with obeying(broker.port, target):
                commander.command("b", "status")
                assert [reply["request_id"] for reply in replies(subscriber, 1)] == ["b"]
    assert target.done == ["status"]


def test_commands_are_heard_again_after_the_broker_was_away(tmp_path: Path) -> None:
    target = Obedient()
    with Mosquitto(tmp_path) as broker, obeying(broker.port, target) as (publisher, _):
        broker.stop()
        assert publisher.wait_for("disconnected", PATIENCE)
        broker.start()
        online(broker.port)
        with Subscriber(broker.port, "board") as subscriber, Commander(broker.port) as commander:
            commander.command("a", "status")
            assert replies(subscriber, 1)[0]["ok"]


def test_a_device_that_is_not_to_obey_subscribes_to_nothing(broker: Mosquitto) -> None:
    publisher = MqttPublisher(settings(broker.port), "board")
    publisher.start()
    try:
        assert publisher.wait_for("connected", PATIENCE)
    finally:
        publisher.stop()
    assert "Received SUBSCRIBE" not in broker.log()


def test_a_broker_that_refuses_the_subscription_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Brokers with such rules answer so; the ACL file of mosquitto only keeps the messages back."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        refusing = threading.Thread(target=refuse, args=(server,))
        refusing.start()
        publisher = MqttPublisher(settings(server.getsockname()[1], protocol="3.1.1"), "board")
        CommandTopic(publisher, Commands(Obedient()))
        publisher.start()
        try:
            await_until(lambda: "refused the subscription to cmd" in caplog.text)
        finally:
            publisher.stop()
            refusing.join(PATIENCE)


def refuse(server: socket.socket) -> None:
    """Accept one MQTT 3.1.1 connection, and refuse what it subscribes to."""
    connection, _ = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(bytes([0x20, 2, 0, 0]))  # CONNACK
        received = b""
        while piece := connection.recv(1024):
            received += piece
            if (
                received[:1] == b"\x82"
            ):  # SUBSCRIBE comes first; its identifier is behind a length of one byte
                connection.sendall(bytes([0x90, 3, *received[2:4], 0x80]))  # SUBACK: failure
                received = b"done"


def await_until(reached: Callable[[], bool]) -> None:
    """Wait until something is so that announces itself to nobody."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not reached():
        assert time.monotonic() < deadline
        pause.wait(0.02)
