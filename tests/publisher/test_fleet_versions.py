"""Metrics of a version of the agent, or of the configuration, from messages as devices send them."""

from __future__ import annotations

from typing import Any

import pytest

from edgeagent.publisher.condition import FleetMeasurements
from edgeagent.publisher.fleet import FleetEvidence
from edgeagent.publisher.rollout_steps import RolledOut, agent_version, configuration_version
from edgeagent.telemetry.contract.deployment import (
    AgentReport,
    ConfigurationReport,
    ConfigurationState,
    DeploymentMessage,
)
from tests.publisher.test_fleet import START, Village, telemetry

AGENT, CONFIGURATION = agent_version("stable", "2.0.0"), configuration_version("stable", "2.0.0")


def tell(fleet: Village, device: str, model: str = "tiny", **parts: Any) -> None:
    """Publish ``deployment`` of a device that has a model, as the contract has it."""
    message = DeploymentMessage(
        time="2026-05-01T06:00:00Z", state="good", name=model, version="1.0.0", bad=(), **parts
    )
    fleet.tell(device, "deployment", message.payload().decode())


def agent(
    running: str,
    state: Any = "idle",
    last: str | None = None,
    end: Any = None,
    version: str | None = None,
) -> AgentReport:
    return AgentReport(
        state=state,
        running=running,
        packaged="1.0.0",
        version=version,
        last_version=last,
        last_state=end,
        bad=(),
    )


def configuration(
    serving: str | None, version: str | None = None, state: ConfigurationState = "good"
) -> ConfigurationReport:
    return ConfigurationReport(serving=serving, version=version, state=state if version else "idle", bad=())


def measured(fleet: Village, which: RolledOut, metric: str) -> FleetMeasurements:
    return FleetEvidence(fleet, which, START).measure(metric)


def test_rates_of_an_agent_are_of_the_devices_that_tried_it() -> None:
    fleet = Village()
    tell(fleet, "good", agent=agent("2.0.0", last="2.0.0", end="good"))
    tell(fleet, "trial", agent=agent("2.0.0", "trial"))
    tell(fleet, "packaged", agent=agent("2.0.0"))
    tell(fleet, "back", agent=agent("1.0.0", last="2.0.0", end="rolled_back"))
    tell(fleet, "refused", agent=agent("1.0.0", last="2.0.0", end="rejected"))
    tell(fleet, "left", agent=agent("3.0.0", last="3.0.0", end="good"))
    tell(fleet, "fetching", agent=agent("1.0.0", "fetching"))
    tell(fleet, "earlier", agent=agent("1.0.0", last="1.5.0", end="rolled_back"))
    tell(fleet, "silent")
    assert measured(fleet, AGENT, "rollback_rate") == FleetMeasurements(20.0, 5)
    assert measured(fleet, AGENT, "rejected_rate") == FleetMeasurements(20.0, 5)
    for device, status in (("good", "online"), ("trial", "offline"), ("fetching", "offline")):
        fleet.tell(device, "status", status)
    assert measured(fleet, AGENT, "offline_rate") == FleetMeasurements(50.0, 2)


def test_rates_of_a_configuration_are_of_the_devices_that_tried_it() -> None:
    fleet = Village()
    tell(fleet, "good", configuration=configuration("2.0.0", "2.0.0"))
    tell(fleet, "trial", configuration=configuration("2.0.0", "2.0.0", "trial"))
    tell(fleet, "back", configuration=configuration("1.0.0", "2.0.0", "rolled_back"))
    tell(fleet, "refused", configuration=configuration(None, "2.0.0", "rejected"))
    tell(fleet, "staged", configuration=configuration("1.0.0", "2.0.0", "staged"))
    tell(fleet, "alone", configuration=configuration(None))
    tell(fleet, "silent")
    assert measured(fleet, CONFIGURATION, "rollback_rate") == FleetMeasurements(25.0, 4)
    assert measured(fleet, CONFIGURATION, "rejected_rate") == FleetMeasurements(25.0, 4)
    assert measured(fleet, configuration_version("stable", "9.9.9"), "rollback_rate").value is None


def test_a_device_that_does_not_come_back_from_its_start_has_tried_the_version() -> None:
    """Its last message says that it starts on trial; then the broker says that it is gone."""
    fleet = Village()
    for number in range(4):
        starts: dict[str, Any] = {
            "agent": agent("1.0.0", "trial", version="2.0.0", last="1.0.0", end="good"),
            "configuration": configuration("1.0.0", "2.0.0", "trial"),
        }
        still: dict[str, Any] = {"agent": agent("1.0.0"), "configuration": configuration("1.0.0")}
        tell(fleet, f"d{number}", **(still if number % 2 else starts))
        fleet.tell(f"d{number}", "telemetry", telemetry(*[10.0] * 20))
        fleet.tell(f"d{number}", "status", "online" if number else "offline")
    for which in (AGENT, CONFIGURATION):
        assert measured(fleet, which, "offline_rate") == FleetMeasurements(50.0, 2)
        assert measured(fleet, which, "rollback_rate") == FleetMeasurements(0.0, 2)
        assert measured(fleet, which, "p50") == FleetMeasurements(None, 0), "measured with the one before"
        difference = FleetEvidence(fleet, which, START).compare("offline_rate", relative=False)
        assert difference is not None
        assert (difference.treated, difference.control, difference.control_devices) == (50.0, 0.0, 2)
    assert measured(fleet, agent_version("stable", "1.0.0"), "offline_rate").devices == 4


def test_a_model_with_the_name_of_the_agent_is_not_the_agent() -> None:
    fleet = Village()
    fleet.tell("a", "deployment", {"state": "rolled_back", "name": "edgeagent", "version": "2.0.0"})
    assert measured(fleet, AGENT, "rollback_rate") == FleetMeasurements(None, 0)
    model = RolledOut("stable", "edgeagent", "2.0.0")
    assert measured(fleet, model, "rollback_rate") == FleetMeasurements(100.0, 1)


def test_what_a_device_measured_with_another_agent_or_configuration_does_not_count() -> None:
    fleet = Village()
    tell(fleet, "a", agent=agent("1.0.0"), configuration=configuration(None))
    fleet.tell("a", "telemetry", telemetry(*[10.0] * 20))
    tell(fleet, "a", agent=agent("2.0.0", "trial"), configuration=configuration(None))
    assert measured(fleet, AGENT, "p50") == FleetMeasurements(None, 0)
    fleet.tell("a", "telemetry", telemetry(*[10.0] * 20))
    assert measured(fleet, AGENT, "p50").devices == 1
    tell(fleet, "a", agent=agent("2.0.0"), configuration=configuration("2.0.0", "2.0.0", "trial"))
    assert measured(fleet, AGENT, "p50") == FleetMeasurements(None, 0)


@pytest.mark.parametrize("which", [AGENT, CONFIGURATION], ids=lambda which: which.kind)
def test_versions_are_compared_within_a_board_and_a_model(which: RolledOut) -> None:
    fleet = Village()
    for number in range(24):
        new, large = number % 2 == 0, number >= 12
        name, model = f"d{number}", "large" if large else "tiny"
        parts: dict[str, Any] = {
            "agent": agent("2.0.0" if new and which is AGENT else "1.0.0"),
            "configuration": configuration("2.0.0" if new and which is CONFIGURATION else None),
        }
        fleet.tell(name, "info", {"board": {"model": "Pi 5"}, "agent": "1.0.0"})
        tell(fleet, name, model, **parts)
        level = (100.0 if large else 20.0) * (1.3 if new else 1.0) + number % 3
        fleet.tell(name, "telemetry", telemetry(*[level] * 700))
    difference = FleetEvidence(fleet, which, START).compare("p50", relative=True)
    assert difference is not None
    assert (difference.treated_devices, difference.control_devices) == (12, 12)
    assert 0.15 < difference.low < 0.3 < difference.high < 0.45
    for number in range(0, 24, 2):
        fleet.tell(f"d{number}", "info", {"board": {"model": "Jetson"}, "agent": "2.0.0"})
    assert FleetEvidence(fleet, which, START).compare("p50", relative=True) is None


def test_a_device_that_was_forgotten_has_tried_nothing() -> None:
    fleet = Village()
    tell(fleet, "a", agent=agent("1.0.0", last="2.0.0", end="rolled_back"))
    fleet.tell("a", "deployment", "")
    assert measured(fleet, AGENT, "rollback_rate") == FleetMeasurements(None, 0)
