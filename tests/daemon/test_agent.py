"""Composition of the agent, in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from edgeagent.daemon.agent import Agent
from edgeagent.daemon.part import AgentPart, Background, present
from edgeagent.daemon.part_order import LAST_MESSAGES_S, STOP_S
from edgeagent.delivery.first_model import OpenedStore
from edgeagent.delivery.state.store import Store
from edgeagent.detection.frame_result import Result
from edgeagent.errors import ConfigurationError
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.accuracy import AccuracySettings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.settings.sections.mqtt import MqttSettings
from edgeagent.settings.sections.prometheus import PrometheusSettings
from edgeagent.telemetry.mqtt.interface import NoPublisher
from tests.broker import PATIENCE, Mosquitto, free_port
from tests.camera.media import write_pictures
from tests.daemon.running import Consumer
from tests.included import QUICK_BUNDLE


def settings(folder: Path, **more: Any) -> Settings:
    pictures = write_pictures(folder / "pictures", 3)
    return Settings(
        device="board",
        state=folder / "state",
        cameras=(CameraSettings(name="yard", source=str(pictures), loop=True),),
        model=ModelSettings(bundle=QUICK_BUNDLE, engine="onnxruntime-cpu", threads=1),
        **more,
    )


def test_absent_parts_are_left_out() -> None:
    calls: list[str] = []
    part = Background(lambda: calls.append("start"), lambda timeout_s: calls.append("stop"))
    assert present(None, part, None) == (part,)
    for one in present(part, None):
        one.start()
        one.frame(None)  # type: ignore[arg-type]
        one.changed(None)  # type: ignore[arg-type]
        one.stop()
    assert calls == ["start", "stop"]


def test_every_part_that_is_started_is_stopped(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        mqtt = MqttSettings(host="127.0.0.1", port=broker.port)
        accuracy = AccuracySettings(feedback=True, golden_every=None)
        agent = Agent(settings(tmp_path, mqtt=mqtt, accuracy=accuracy), on_result=lambda result: None)
        order = agent._order
        stopped = order.stop_order + order.last_messages
        never_stopped = [part for part in order.parts if part not in stopped]
        assert [type(part).stop for part in never_stopped] == [AgentPart.stop] * len(never_stopped)
        assert len(set(stopped)) == len(stopped)
        agent.start()
        assert agent.publisher.wait_for("connected", PATIENCE)
        agent.stop()
        assert agent.publisher.wait_for("disconnected", PATIENCE)


def test_without_a_broker_results_and_telemetry_are_there(tmp_path: Path) -> None:
    results: Queue[Result] = Queue()
    agent = Agent(settings(tmp_path), on_result=results.put)
    assert isinstance(agent.publisher, NoPublisher)
    assert agent.delivery is None
    agent.start()
    try:
        assert results.get(timeout=PATIENCE).camera == "yard"
        telemetry = agent.report()
    finally:
        agent.stop()
    agent.pipeline.raise_failure()
    assert (telemetry.sequence, telemetry.messages_dropped, telemetry.spool) == (1, 0, None)
    assert telemetry.commands_ignored is None


def test_a_low_agreement_is_an_alarm_and_an_event(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Consumer(broker.port, "board") as consumer:
        agent = Agent(settings(tmp_path, mqtt=MqttSettings(host="127.0.0.1", port=broker.port)))
        agent.start()
        try:
            agent._state.agreement_changed("only 10% of the boxes are found by both models")
            alarm = consumer.wait_for(
                "alarm", lambda m: any(m["problems"]) and m["problems"][-1]["code"] != "starting"
            )
            assert [problem["code"] for problem in alarm["problems"]] == ["low_agreement"]
            agent._state.agreement_changed(None)
            event = consumer.wait_for("events/agreement", lambda m: m["data"]["state"] == "ok")
            assert event["text"] == "the agreement with the reference model is no longer low"
            assert consumer.wait_for("events/agreement", lambda m: m["data"]["state"] == "low")[
                "text"
            ] in str(alarm)
        finally:
            agent.stop()


def test_a_port_that_is_in_use_starts_nothing(tmp_path: Path) -> None:
    port = free_port()
    prometheus = PrometheusSettings.model_validate({"listen": f"127.0.0.1:{port}"})
    first = Agent(settings(tmp_path, prometheus=prometheus))
    second = Agent(settings(tmp_path, prometheus=prometheus))
    first.start()
    try:
        with pytest.raises(ConfigurationError, match="cannot be listened on"):
            second.start()
        assert second.cameras[0].status().state == "opening"
    finally:
        first.stop()
        second.models.stop()


@pytest.mark.parametrize(("error", "closed"), [(SystemExit(0), True), (ConfigurationError("bad"), False)])
def test_a_stop_during_the_start_is_no_bad_end_of_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, closed: bool
) -> None:
    store = Store(tmp_path / "delivery")
    ends: list[bool] = []
    monkeypatch.setattr(store, "close", lambda: ends.append(True))
    monkeypatch.setattr("edgeagent.daemon.agent.open_store", lambda settings: OpenedStore(store))

    def build(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(Agent, "_build", build)
    with pytest.raises(type(error)):
        Agent(settings(tmp_path))
    assert ends == [True] * closed


def test_all_parts_share_the_time_of_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part waits as long as it may, as if its thread hung."""
    agent = Agent(settings(tmp_path))
    agent.models.stop()
    now_s, waits = 1000.0, []

    def hang(timeout_s: float) -> None:
        nonlocal now_s
        now_s += timeout_s
        waits.append(timeout_s)

    monkeypatch.setattr("edgeagent.timing.deadline.time.monotonic", lambda: now_s)
    monkeypatch.setattr(agent.publisher, "stop", hang)
    hanging = Background(lambda: None, hang)
    agent._order = replace(agent._order, stop_order=(hanging,) * 5, last_messages=(hanging,) * 2)
    agent.stop()
    assert sum(waits) == pytest.approx(STOP_S)
    assert waits[-1] == pytest.approx(LAST_MESSAGES_S / 2)
    assert sum(waits[5:]) == pytest.approx(LAST_MESSAGES_S)
