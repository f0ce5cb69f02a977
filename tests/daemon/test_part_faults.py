"""An exception that nobody expected in threads of delivery, requests and accuracy: alarm, and they go on."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Queue
from typing import Any, cast

import pytest

from edgeagent.accuracy.agreement import Agreement
from edgeagent.accuracy.live import shadow as shadow_module
from edgeagent.accuracy.live.accuracy_watch import AccuracyWatch
from edgeagent.delivery.hawkbit.conversation import Hawkbit
from edgeagent.delivery.update.updater import Updater
from edgeagent.errors import EdgeagentError
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.telemetry.contract.commands import CommandReply
from edgeagent.telemetry.mqtt.command_topic import CommandTopic
from edgeagent.telemetry.mqtt.interface import Arrival, NoPublisher
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from tests.accuracy.live.test_accuracy_watch import device as accurate_device
from tests.accuracy.live.test_shadow import Beside
from tests.broker import Mosquitto
from tests.daemon.test_fault_watch import PATIENCE_S, Device, device, fail_once
from tests.delivery.folder_source import FolderSource, publish
from tests.delivery.update import device as updated
from tests.engines import cell_detector as cells
from tests.telemetry.subscriber import Subscriber

__all__ = ["device"]


def alarm_of(part: str) -> str:
    return f"{part} failed and was started again: ZeroDivisionError: a bug"


@pytest.mark.parametrize("name", ["_check", "_step", "_resume", "_notify"])
def test_the_updater_goes_on(
    name: str, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeagent.delivery.update.updater.RETRY_FIRST_S", 0.01)
    fail_once(monkeypatch, Updater, name)
    source = FolderSource(publish(tmp_path / "published", "1.0.0", 1))
    fleet = updated.Device(tmp_path / "delivery", source).start()
    assert device.alarm() == alarm_of("updater")
    assert fleet.updater.check_now()
    fleet.stop()


def test_the_conversation_with_hawkbit_goes_on(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = threading.Event()

    def poll(hawkbit: Hawkbit) -> float:
        polled.set()
        return 3600.0

    monkeypatch.setattr(Hawkbit, "poll", poll)
    fail_once(monkeypatch, Hawkbit, "poll")
    nobody: Any = cast(Any, threading.local())
    hawkbit = Hawkbit(nobody, nobody, nobody, nobody, nobody)
    hawkbit.start()
    assert device.alarm() == alarm_of("hawkbit")
    assert polled.wait(PATIENCE_S)
    hawkbit.stop()


@pytest.mark.parametrize("name", ["cmd", "feedback"])
def test_requests_are_handled_on(name: str, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler:
        def __init__(self) -> None:
            self.handled: Queue[bytes] = Queue()

        def answer(self, payload: bytes, retained: bool) -> CommandReply | None:
            self.handled.put(payload)
            return None

    handler = Handler()
    fail_once(monkeypatch, handler, "answer")
    topic = CommandTopic(NoPublisher(), handler, name)
    topic.start()
    topic._receive(Arrival(b"first", False))
    assert device.alarm() == alarm_of(name)
    topic._receive(Arrival(b"second", False))
    assert handler.handled.get(timeout=PATIENCE_S) == b"second"
    topic.stop()


def test_accuracy_is_measured_on(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(monkeypatch, AccuracyWatch, "_check")
    bundle = cells.build_bundle(tmp_path / "one")
    with accurate_device(tmp_path, bundle, AccuracySettings(drift=False, golden_every=None)) as made:
        assert device.alarm() == alarm_of("accuracy")
        assert made.message(lambda m: True)["model"] == "tiny 1.2.3"


def test_the_shadow_run_starts_again(device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(monkeypatch, shadow_module, "agreement")
    bundle = cells.build_bundle(tmp_path / "cells")
    beside = Beside(tmp_path, bundle, bundle)
    try:
        assert beside.offer_until_compared(cells.picture()) == Agreement(1, 2, 4)
        assert device.alarm() == alarm_of("shadow")
    finally:
        beside.shadow.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_network_thread_that_ends_ends_the_agent(device: Device, tmp_path: Path) -> None:
    """paho has no guard, and does not start its thread again."""

    def receive(arrival: Arrival) -> None:
        raise ZeroDivisionError("a bug")

    with Mosquitto(tmp_path) as broker:
        publisher = MqttPublisher(MqttSettings(host="127.0.0.1", port=broker.port), "board")
        publisher.subscribe("cmd", receive)
        publisher.start()
        assert publisher.wait_for("connected", PATIENCE_S)
        with Subscriber(broker.port, "board") as subscriber:
            subscriber._client.publish("edgeagent/v1/board/cmd", b"{}", qos=1)
            assert device.ended.wait(PATIENCE_S)
        with pytest.raises(EdgeagentError, match=r"paho-mqtt-client-edgeagent-board failed .*a bug"):
            device.watch.raise_fatal()
        publisher.stop()
