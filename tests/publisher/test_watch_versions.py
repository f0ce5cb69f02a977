"""Steps of the agent and of a configuration, with real keys and a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edgeagent.publisher.agent_release import add_agent, check_set, withdraw_agent
from edgeagent.publisher.configuration import add_configuration, read_partial
from edgeagent.publisher.errors import HaltedError, PublishError
from edgeagent.publisher.rollout_policy import is_paused, set_rollout
from edgeagent.publisher.rollout_steps import (
    Plan,
    RolledOut,
    Steps,
    agent_version,
    configuration_version,
    read_steps,
    write_steps,
)
from edgeagent.publisher.status import served_indexes
from edgeagent.publisher.watch import FleetListener, Watch
from edgeagent.settings.sections.mqtt import MqttSettings
from tests.broker import Mosquitto
from tests.launcher.wheels import build_wheel, stand_in
from tests.publisher.publisher_folder import PublisherFolder
from tests.publisher.test_watch import START, Clock, Devices, heard

AGENT, CONFIGURATION = agent_version("stable", "0.2.0"), configuration_version("stable", "1.0.0")
RESUME = {
    "agent": "edgeagent publish agent rollout stable 0.2.0 --resume",
    "configuration": "edgeagent publish rollout stable --config 1.0.0 --resume",
}
Entries = dict[str, Any]


@pytest.fixture
def both(publisher: PublisherFolder, tmp_path: Path) -> PublisherFolder:
    """Return a folder with a version of the agent and a configuration, each for 5 % and with a plan."""
    build_wheel(tmp_path / "wheels", "0.2.0", stand_in("0.2.0"))
    checked, _ = check_set(tmp_path / "wheels")
    file = tmp_path / "fleet.yaml"
    file.write_text("telemetry: {interval: 30s}", encoding="utf-8")
    publisher.change(lambda p: add_agent(p, checked, "stable", ["any"], {"percent": 5.0}))
    settings = read_partial(file)
    publisher.change(
        lambda p: add_configuration(p, settings, "stable", "1.0.0", ["any"], {"percent": 5.0}, None)
    )
    plans = [
        Plan(
            channel=which.channel,
            name=which.name,
            version=which.version,
            kind=which.kind,
            percents=(5, 25, 100),
            every_s=3600,
            since=START,
            halt_if="rollback_rate>2%",
            least_devices=2,
        )
        for which in (AGENT, CONFIGURATION)
    ]
    write_steps(publisher.folder, Steps(plans=tuple(plans)))
    return publisher


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def percents(publisher: PublisherFolder) -> tuple[float, float]:
    index = served_indexes(publisher.folder)["stable"]
    return index.agents[0].rollout.percent, index.configurations[0].rollout.percent


def deployment(agent: Entries, configuration: Entries) -> Entries:
    return {
        "state": "good",
        "name": "tiny",
        "version": "1.2.3",
        "agent": agent,
        "configuration": configuration,
    }


def test_each_goes_on_and_is_halted_by_what_devices_tell_of_it(
    both: PublisherFolder, broker: Mosquitto
) -> None:
    clock, told, devices = Clock(), list[str](), Devices(broker.port)
    good = {"state": "idle", "running": "0.2.0", "last_version": "0.2.0", "last_state": "good"}
    back = {"state": "idle", "running": "0.1.0", "last_version": "0.2.0", "last_state": "rolled_back"}
    serves = {"state": "good", "version": "1.0.0", "serving": "1.0.0"}
    with FleetListener(MqttSettings(host="127.0.0.1", port=broker.port)) as listener:
        watch = Watch(both.folder, listener.judge, both.signers(), told.append, clock)
        devices.tell("a", "deployment", deployment(good, serves))
        heard(listener, devices.sent)
        clock.passed = timedelta(hours=1)
        watch.check()
        assert percents(both) == (5, 5)
        assert any("waits at 5 %, not enough is known: rollback_rate" in line for line in told)
        devices.tell("b", "deployment", deployment(good, serves))
        heard(listener, devices.sent)
        watch.check()
        assert percents(both) == (25, 25)
        devices.tell("b", "deployment", deployment(back, serves))
        heard(listener, devices.sent)
        clock.passed = timedelta(hours=2)
        with pytest.raises(
            HaltedError, match=r"stable edgeagent 0\.2\.0 is halted at 25 %: .* 50 % of 2"
        ) as caught:
            watch.check()
        assert str(caught.value).endswith(f"go on with `{RESUME['agent']}`")
        assert percents(both) == (25, 100)
    devices.close()
    assert "stable configuration 1.0.0: goes from 5 % to 25 %: rollback_rate 0 % of 2 devices" in " ".join(
        told
    )
    (halted,) = [plan for plan in read_steps(both.folder).plans if plan.halted is not None]
    assert halted.of == AGENT


def unjudged(*_: object) -> Any:
    raise AssertionError("a plan without a condition is not judged")


@pytest.mark.parametrize("which", [AGENT, CONFIGURATION], ids=lambda which: which.kind)
def test_a_pause_holds_it(both: PublisherFolder, which: RolledOut) -> None:
    plan = read_steps(both.folder).find(which)
    assert plan is not None
    write_steps(both.folder, Steps(plans=(plan.model_copy(update={"halt_if": None}),)))
    both.change(lambda p: set_rollout(p, which, {"paused": True}))
    clock, told = Clock(), list[str]()
    clock.passed = timedelta(hours=2)
    watch = Watch(both.folder, unjudged, both.signers(), told.append, clock)
    watch.check()
    assert percents(both) == (5, 5)
    assert told == [f"{which.title}: is paused; `{RESUME[which.kind]}` goes on"]
    both.change(lambda p: set_rollout(p, which, {"paused": False}))
    watch.check()
    assert sorted(percents(both)) == [5, 25]
    with both.opened() as publication:
        assert not is_paused(publication, which)


def test_a_withdrawn_version_takes_no_step(both: PublisherFolder) -> None:
    plan = read_steps(both.folder).find(AGENT)
    assert plan is not None
    write_steps(both.folder, Steps(plans=(plan.model_copy(update={"halt_if": None}),)))
    both.change(lambda p: withdraw_agent(p, "stable", "0.2.0", "leaks"))
    clock = Clock()
    clock.passed = timedelta(hours=2)
    with pytest.raises(PublishError, match=r"edgeagent 0\.2\.0 is withdrawn .leaks.; add a new version"):
        Watch(both.folder, unjudged, both.signers(), now=clock).check()
