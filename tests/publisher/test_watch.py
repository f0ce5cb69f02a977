"""Steps of a rollout, with a real broker: signed in time, refused, or waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edgeagent.errors import EdgeagentError
from edgeagent.publisher.condition import parse_condition
from edgeagent.publisher.errors import HaltedError, PublishError, SigningKeyError
from edgeagent.publisher.opening import opened
from edgeagent.publisher.release import read_index, withdraw
from edgeagent.publisher.rollout_policy import set_policy
from edgeagent.publisher.rollout_steps import Plan, Steps, read_steps, write_steps
from edgeagent.publisher.signers import Signers, read_config
from edgeagent.publisher.watch import FleetListener, Watch, watch
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.timing.histogram import bucket_of, middle_of
from tests.broker import PATIENCE, Mosquitto, free_port
from tests.publisher.publisher_folder import Device, PublisherFolder, plain_key
from tests.publisher.test_roles import Copy, rotate

START = datetime.now(timezone.utc)
HALT = "p90>40ms or rollback_rate>2%"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


class Devices:
    """Publishes as devices do; every message is at the broker when a call returns."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="devices")
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def tell(self, device: str, kind: str, message: Any) -> None:
        payload = message if isinstance(message, str) else json.dumps(message)
        retain = kind != "telemetry"
        sent = self._client.publish(f"edgeagent/v1/{device}/{kind}", payload, qos=1, retain=retain)
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published()
        self.sent += 1

    def run(self, states: list[str], frame_ms: float, frames: int = 150, version: str = "1.2.3") -> None:
        buckets = {bucket_of(frame_ms): frames}
        for number, state in enumerate(states):
            name = f"d{number}" if version == "1.2.3" else f"old{number}"
            self.tell(name, "deployment", {"state": state, "name": "tiny", "version": version})
            stages = {"end_to_end": {"count": frames, "buckets": buckets}}
            self.tell(name, "telemetry", {"cameras": {"yard": {"stages": stages}}})


@pytest.fixture
def devices(broker: Mosquitto) -> Iterator[Devices]:
    devices = Devices(broker.port)
    yield devices
    devices.close()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[FleetListener]:
    with FleetListener(MqttSettings(host="127.0.0.1", port=broker.port)) as listener:
        yield listener


def heard(listener: FleetListener, count: int) -> None:
    """Wait until so many messages have come."""
    with listener.changed:
        assert listener.changed.wait_for(lambda: listener.heard() >= count, PATIENCE)


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def __call__(self) -> datetime:
        return START + self.passed


class Rollout:
    """A rollout in three steps, an hour apart, and somebody who watches it."""

    def __init__(
        self, publisher: PublisherFolder, listener: FleetListener, halt_if: str | None = HALT, *keys: str
    ) -> None:
        self.publisher, self.clock, self.told = publisher, Clock(), list[str]()
        publisher.change(lambda p: set_policy(p, "stable", "tiny", "1.2.3", {"percent": 5.0}))
        plan = Plan(
            channel="stable",
            name="tiny",
            version="1.2.3",
            percents=(5, 25, 100),
            every_s=3600,
            since=START,
            halt_if=halt_if,
        )
        write_steps(publisher.folder, Steps(plans=(plan,)))
        self.watch = Watch(
            publisher.folder, listener.judge, publisher.signers(*keys), self.told.append, self.clock
        )

    def percent(self) -> float:
        with opened(self.publisher.folder, self.publisher.secrets) as publication:
            (release,) = read_index(publication, "stable").releases
        return release.rollout.percent

    def check_after(self, hours: float) -> timedelta | None:
        self.clock.passed += timedelta(hours=hours)
        return self.watch.check()


def test_a_step_is_signed_when_its_time_has_come(
    publisher: PublisherFolder, device: Device, devices: Devices, listener: FleetListener
) -> None:
    rollout = Rollout(publisher, listener)
    devices.run(["good"] * 6, 35.0)
    heard(listener, 12)
    assert rollout.check_after(0.99) == timedelta(seconds=36)
    assert rollout.percent() == 5
    assert rollout.check_after(0.02)
    assert rollout.percent() == 25
    assert rollout.check_after(0.5)
    assert rollout.percent() == 25
    rollout.check_after(0.6)
    assert rollout.percent() == 100
    assert rollout.check_after(10) is None
    assert [line.removeprefix("stable tiny 1.2.3: ").partition(": ")[0] for line in rollout.told] == [
        f"5 %, next step {START + timedelta(hours=1):%Y-%m-%d %H:%M} UTC",
        "goes from 5 % to 25 %",
        f"25 %, next step {START + timedelta(hours=2.01):%Y-%m-%d %H:%M} UTC",
        "goes from 25 % to 100 %",
    ]
    (release,) = device.index(publisher.folder).releases
    assert (release.rollout.percent, release.rollout.id) == (100, "1-tiny")


@pytest.mark.parametrize(
    ("states", "frame_ms", "numbers"),
    [
        (["good"] * 5 + ["rolled_back"], 20.0, "rollback_rate 16.67 % of 6 devices"),
        (["good"] * 5, 41.0, f"p90 {middle_of(bucket_of(41.0)):.4g} ms of 5 devices"),
    ],
)
def test_a_step_is_refused_with_the_numbers_while_the_condition_holds(
    publisher: PublisherFolder,
    devices: Devices,
    listener: FleetListener,
    states: list[str],
    frame_ms: float,
    numbers: str,
) -> None:
    rollout = Rollout(publisher, listener)
    devices.run(states, frame_ms)
    heard(listener, 2 * len(states))
    before = publisher.files()
    with pytest.raises(
        HaltedError, match=f"stable tiny 1.2.3 is halted at 5 %: .*{numbers}.*next step is not signed"
    ):
        rollout.check_after(1.5)
    assert HaltedError.exit_code == 8
    assert {name: publisher.files()[name] for name in before} == before
    assert rollout.percent() == 5
    with pytest.raises(HaltedError, match=f"stays at 5 %: .*{numbers}"):  # also when all is well again
        rollout.check_after(1)


def test_a_hot_day_halts_nothing_and_a_slower_release_does(
    publisher: PublisherFolder, broker: Mosquitto, devices: Devices
) -> None:
    clock = Clock()
    with FleetListener(MqttSettings(host="127.0.0.1", port=broker.port), clock) as listener:
        rollout = Rollout(publisher, listener, "p50>control+10%")
        rollout.clock = rollout.watch._now = clock
        devices.run(["good"] * 5, 60.0)
        devices.run(["good"] * 8, 60.0, version="1.0.0")
        heard(listener, devices.sent)
        rollout.check_after(1)
        assert rollout.percent() == 25
        devices.run(["good"] * 5, 80.0)
        devices.run(["good"] * 8, 60.0, version="1.0.0")
        heard(listener, devices.sent)
        words = r"p50 79\.\d+ ms of 5 devices, 60\.\d+ of 8 control devices; difference \+3"
        with pytest.raises(HaltedError, match=words):
            rollout.check_after(1)
        assert rollout.percent() == 25


def test_with_too_few_samples_it_says_so_and_waits(
    publisher: PublisherFolder, devices: Devices, listener: FleetListener
) -> None:
    rollout = Rollout(publisher, listener)
    devices.run(["good"] * 4, 20.0)
    heard(listener, 8)
    assert rollout.check_after(2) == timedelta(seconds=60)
    assert rollout.percent() == 5
    (line,) = rollout.told
    assert "waits at 5 %, not enough is known" in line
    assert f"p90 {middle_of(bucket_of(20.0)):.4g} ms of 4 devices, 5 are needed" in line
    rollout.watch.check()
    assert len(rollout.told) == 1  # told once
    devices.run(["good"] * 5, 20.0)
    heard(listener, 18)
    rollout.watch.check()
    assert rollout.percent() == 25


def test_a_percentile_of_too_few_frames_is_unknown(
    publisher: PublisherFolder, devices: Devices, listener: FleetListener
) -> None:
    rollout = Rollout(publisher, listener, "p99>40ms")
    devices.run(["good"] * 9, 20.0, frames=73)
    heard(listener, 18)
    rollout.check_after(2)
    assert rollout.percent() == 5
    assert "p99 unknown of 9 devices" in rollout.told[0]


def test_without_a_condition_only_time_counts(publisher: PublisherFolder, listener: FleetListener) -> None:
    rollout = Rollout(publisher, listener, None)
    rollout.check_after(1)
    assert rollout.percent() == 25


def test_a_pause_holds_it(publisher: PublisherFolder, listener: FleetListener) -> None:
    rollout = Rollout(publisher, listener, None)
    publisher.change(lambda p: set_policy(p, "stable", "tiny", "1.2.3", {"paused": True}))
    rollout.check_after(2)
    assert rollout.percent() == 5
    assert "is paused" in rollout.told[0]


def test_a_plan_that_was_replaced_meanwhile_is_left_alone(
    publisher: PublisherFolder, listener: FleetListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout = Rollout(publisher, listener, None)
    (plan,) = read_steps(publisher.folder).plans
    monkeypatch.setattr(rollout.watch, "_judge", lambda _: rollout.watch._step(plan, "late"))
    write_steps(publisher.folder, Steps(plans=(plan.model_copy(update={"every_s": 1.0}),)))
    rollout.check_after(1)
    assert rollout.percent() == 5


def test_a_step_that_others_must_sign_is_an_error(
    publisher: PublisherFolder, listener: FleetListener, tmp_path: Path
) -> None:
    uri = plain_key(tmp_path / "team.pem")
    assert rotate(publisher, "stable", uri)
    rollout = Rollout(publisher, listener, None)
    copy = Copy(publisher, tmp_path / "copy")
    lonely = Watch(
        copy.folder,
        listener.judge,
        Signers(read_config(copy.folder).signers, publisher.secrets),
        now=rollout.clock,
    )
    rollout.clock.passed = timedelta(hours=2)
    with pytest.raises(PublishError, match="the step to 25 % waits for signatures of other key holders"):
        lonely.check()
    assert read_steps(copy.folder).plans[0].step == 0


def test_a_key_that_is_missing_is_named_at_the_start(
    publisher: PublisherFolder, listener: FleetListener
) -> None:
    Rollout(publisher, listener, None)
    (publisher.keys / "snapshot.pem").unlink()
    with pytest.raises(SigningKeyError, match=r"snapshot\.pem"):
        Watch(publisher.folder, listener.judge, publisher.signers())


def test_a_withdrawn_release_takes_no_step(publisher: PublisherFolder, listener: FleetListener) -> None:
    rollout = Rollout(publisher, listener, None)
    publisher.change(lambda p: withdraw(p, "stable", "tiny", "1.2.3", "it sees ghosts"))
    with pytest.raises(PublishError, match=r"is withdrawn .it sees ghosts.; add a new version"):
        rollout.check_after(2)


def test_it_looks_until_no_step_is_left(publisher: PublisherFolder, listener: FleetListener) -> None:
    """In its own thread, on a clock that is far ahead."""
    rollout = Rollout(publisher, listener, None)
    rollout.clock.passed = timedelta(hours=9)
    watch(rollout.watch, 0.001, once=True)
    assert rollout.percent() == 25
    rollout.clock.passed = timedelta(hours=19)
    rollout.watch.check()
    thread = threading.Thread(target=watch, args=(rollout.watch, 0.001), kwargs={"once": False})
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert rollout.percent() == 100


def test_what_was_retained_before_is_heard_too(
    publisher: PublisherFolder, broker: Mosquitto, devices: Devices
) -> None:
    devices.run(["good", "rolled_back"], 20.0)
    devices.tell("d0", "status", "online")
    with FleetListener(MqttSettings(host="127.0.0.1", port=broker.port)) as listener:
        heard(listener, 3)
        plan = Plan(channel="stable", name="tiny", version="1.2.3", percents=(5, 100), every_s=1, since=START)
        assert "rollback_rate 50 %" in listener.judge(parse_condition("rollback_rate>2%"), plan).numbers


def test_a_broker_that_comes_back_is_heard_again(broker: Mosquitto, listener: FleetListener) -> None:
    broker.stop()
    broker.start()
    devices = Devices(broker.port)
    try:
        with listener.changed:  # retained, so it is heard whichever of the two is connected first
            devices.tell("d0", "deployment", {"state": "good", "name": "tiny", "version": "1.2.3"})
            assert listener.changed.wait_for(lambda: listener.heard() >= 1, PATIENCE)
    finally:
        devices.close()


def test_a_broker_that_is_not_there_or_refuses_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(EdgeagentError, match=r"cannot be reached .*no step was signed"),
        FleetListener(MqttSettings(host="127.0.0.1", port=free_port())),
    ):
        pass
    with (
        Mosquitto(tmp_path, ("allow_anonymous false",)) as closed,
        pytest.raises(EdgeagentError, match=r"refuses the connection .Not authorized"),
        FleetListener(MqttSettings(host="127.0.0.1", port=closed.port)),
    ):
        pass


def test_damaged_steps_are_named(publisher: PublisherFolder) -> None:
    (publisher.folder / "steps.json").write_text('{"plans": [{}]}', encoding="utf-8")
    with pytest.raises(PublishError, match=r"steps\.json: plans\.0\.channel: Field required"):
        read_steps(publisher.folder)
