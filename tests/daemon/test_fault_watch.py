"""An exception that nobody expected, in each part: alarm, the part goes on, and what cannot go on ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.daemon import fault_watch
from edgeagent.daemon.device_watch import DeviceWatch
from edgeagent.daemon.fault_watch import FaultWatch
from edgeagent.errors import EdgeagentError
from edgeagent.settings.sections.adaptive import AdaptiveSettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.power import PowerSettings
from edgeagent.telemetry import pictures
from edgeagent.telemetry.mqtt.direct import DirectMessages
from edgeagent.telemetry.mqtt.fault_tolerant_spool import FaultTolerantSpool
from edgeagent.telemetry.mqtt.losses import Losses
from edgeagent.telemetry.mqtt.outbox import Outbox
from edgeagent.telemetry.pictures import Pictures
from edgeagent.timing import guarded_thread
from edgeagent.timing.guarded_thread import GuardedThread
from edgeagent.vision.detections import Detections

PATIENCE_S = 60.0


class Device:
    """What the watch tells."""

    def __init__(self) -> None:
        self.alarms: Queue[str | None] = Queue()
        self.ended = threading.Event()
        self.watch = FaultWatch(self.alarms.put, self.ended.set)
        self.watch.start()

    def alarm(self) -> str | None:
        return self.alarms.get(timeout=PATIENCE_S)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setattr(guarded_thread, "FIRST_S", 0.01)
    monkeypatch.setattr(guarded_thread, "LONGEST_S", 0.02)
    made = Device()
    yield made
    made.watch.stop()


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Let the next call of a function raise what nobody expects."""
    real, failures = getattr(owner, name), [ZeroDivisionError("a bug")]

    def call(*arguments: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, call)


def test_the_alarm_ends_after_a_time_without_faults(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [ValueError("once")]

    def part() -> None:
        if failures:
            raise failures.pop()

    GuardedThread(part, "updater").start()
    assert device.alarm() == "updater failed and was started again: ValueError: once"
    device.watch.check()
    assert device.alarms.empty()
    monkeypatch.setattr(fault_watch, "STEADY_S", -1.0)
    device.watch.check()
    assert device.alarm() is None
    device.watch.check()
    assert device.alarms.empty()
    device.watch.raise_fatal()


def test_a_fatal_fault_ends_the_agent_with_its_reason(device: Device) -> None:
    def part() -> None:
        raise ValueError("always")

    GuardedThread(part, "outbox", vital=True).start()
    assert device.ended.wait(PATIENCE_S)
    with pytest.raises(EdgeagentError, match=r"outbox failed and has ended for good \(ValueError: always\)"):
        device.watch.raise_fatal()


def test_the_watch_of_the_board_goes_on(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = DeviceWatch(PowerSettings(), AdaptiveSettings(), lambda: 0, root=tmp_path)
    sampled = threading.Event()
    monkeypatch.setattr(DeviceWatch, "sample", lambda self: sampled.set())
    fail_once(monkeypatch, DeviceWatch, "sample")
    watch.start()
    assert device.alarm() == "device-watch failed and was started again: ZeroDivisionError: a bug"
    assert sampled.wait(PATIENCE_S)
    watch.stop()


def test_the_outbox_goes_on_and_loses_nothing(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: Queue[str] = Queue()

    def send(topic: str, payload: bytes) -> int:
        sent.put(topic)
        return 1

    fail_once(monkeypatch, FaultTolerantSpool, "open")
    direct = DirectMessages(paho.Client(CallbackAPIVersion.VERSION2), Losses(), "edgeagent/v1/board", False)
    outbox = Outbox(send, 10, 1.0, None, direct)
    outbox.set_connected(True)
    outbox.post("telemetry", b"{}")
    outbox.start()
    assert device.alarm() == "outbox failed and was started again: ZeroDivisionError: a bug"
    assert sent.get(timeout=PATIENCE_S) == "telemetry"
    outbox.close(PATIENCE_S)


def test_pictures_go_on(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    published: Queue[str] = Queue()
    fail_once(monkeypatch, pictures, "draw")
    part = Pictures([CameraSettings(name="yard", source="0")], 1.0, lambda topic, jpeg: published.put(topic))
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    part.start()
    picture = pictures._Picture("yard", np.zeros((8, 8, 3), np.uint8), none, ())
    part._waiting.put(picture)
    assert device.alarm() == "pictures failed and was started again: ZeroDivisionError: a bug"
    part._waiting.put(picture)
    assert published.get(timeout=PATIENCE_S) == "picture/yard"
    part.stop()
