"""Simulated devices: messages of the contract, a planted regression, and faults by their share."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.simulator.boards import BOARDS, SimulatedModel
from edgeagent.fleet.simulator.device import SimulatedDevice
from edgeagent.fleet.simulator.faults import Faults, Spoiler, parse_faults
from edgeagent.fleet.simulator.regression import regressed
from edgeagent.telemetry.contract.accuracy import AccuracyMessage
from edgeagent.telemetry.contract.deployment import DeploymentMessage
from edgeagent.telemetry.contract.messages import Alarm, Event, Info, Telemetry
from edgeagent.telemetry.contract.scene import ObjectMessage
from edgeagent.timing.histogram import Histogram

AT = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def device(model: SimulatedModel | None = None, seed: int = 3) -> SimulatedDevice:
    return SimulatedDevice("gate", seed, AT, model or SimulatedModel(), board=BOARDS[3])


def test_messages_are_those_of_the_contract() -> None:
    simulated = device()
    for message, kind in (
        (simulated.telemetry(AT), Telemetry),
        (simulated.event(AT), Event),
        (simulated.object_end(AT), ObjectMessage),
        (simulated.info(AT), Info),
        (simulated.alarm(AT, ("drift",)), Alarm),
        (simulated.deployment(AT), DeploymentMessage),
        (simulated.accuracy(AT), AccuracyMessage),
    ):
        assert kind.model_validate_json(message.payload()) == message


def test_histograms_have_all_frames_and_their_percentiles() -> None:
    message = device().telemetry(AT)
    for camera in message.cameras.values():
        for report in camera.stages.values():
            assert report.count == sum(report.buckets.values()) == 100
            assert report.p90_ms == Histogram.of(report.buckets).percentiles().p90
            assert report.p99_ms is None


def test_sequences_begin_anew_with_a_run() -> None:
    simulated = device()
    first = [simulated.telemetry(AT) for _ in range(3)]
    simulated.skip()
    first.append(simulated.telemetry(AT))
    simulated.restart(AT + timedelta(seconds=9))
    second = simulated.telemetry(AT + timedelta(seconds=19))
    assert [message.sequence for message in first] == [1, 2, 3, 5]
    assert (second.run, second.sequence, second.uptime_s) == (2, 1, 10.0)


def test_the_same_seed_gives_the_same_messages() -> None:
    assert device().telemetry(AT).payload() == device().telemetry(AT).payload()
    assert device().telemetry(AT).payload() != device(seed=4).telemetry(AT).payload()


def merged(simulated: SimulatedDevice, stage: str) -> Histogram:
    total = Histogram()
    for _ in range(60):
        for camera in simulated.telemetry(AT).cameras.values():
            total.add(Histogram.of(camera.stages[stage].buckets))
    return total


def test_a_planted_regression_is_in_the_messages() -> None:
    worse = regressed("2.0.0", "p99=2,accuracy=-0.05,energy=1.5")
    before, after = (
        merged(device(), "inference").percentiles(),
        merged(device(worse), "inference").percentiles(),
    )
    assert before.p50 is not None
    assert before.p99 is not None
    assert after.p50 == pytest.approx(before.p50, rel=0.02)
    assert after.p99 is not None
    assert after.p99 > 1.3 * before.p99
    one, two = device().accuracy(AT).golden, device(worse).accuracy(AT).golden
    assert one is not None
    assert two is not None
    assert two.map50_95 is not None
    assert one.map50_95 is not None
    assert two.map50_95 - one.map50_95 == pytest.approx(-0.05, abs=1e-6)
    joules = [
        json.loads(each.telemetry(AT).payload())["system"]["joules_per_inference"]["value_j"]
        for each in (device(), device(worse))
    ]
    assert joules[1] == pytest.approx(1.5 * joules[0], rel=0.01)


def test_faults_come_by_their_share() -> None:
    spoiler = Spoiler(Faults(duplicates=0.1, poison=0.05, forged=0.05), 1)
    payload = device().event(AT).payload()
    published = sum(len(spoiler.now(payload)) for _ in range(2000))
    assert published == 2000 + sum(spoiler.counts.values())
    assert 150 < spoiler.counts["duplicates"] < 250
    assert 60 < spoiler.counts["poison"] < 140


def test_faults_are_read() -> None:
    assert parse_faults("") == Faults()
    assert parse_faults("lost=1%,clock=0.5") == Faults(lost=0.01, clock=0.5)
    assert parse_faults("all=2%,lost=0") == Faults(0.02, 0, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02)
    for wrong, told in (
        ("lost", "expected a share"),
        ("lost=2", "expected a share"),
        ("x=1%", "none of all"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            parse_faults(wrong)


def test_regressions_are_read() -> None:
    assert regressed("2.0.0", "").version == "2.0.0"
    for wrong, told in (("speed=2", "none of latency"), ("p99=fast", "expected a number")):
        with pytest.raises(ConfigurationError, match=told):
            regressed("2.0.0", wrong)
