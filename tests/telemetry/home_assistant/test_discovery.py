"""The discovery message: its form, and that its templates read our messages."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import jinja2
import pytest

from edgeagent.telemetry.contract.messages import ROOT, Alarm, Problem, ProblemCode, historical
from edgeagent.telemetry.home_assistant import discovery
from tests.telemetry.home_assistant.values import documented

DEVICE = "gate-pi"
INFO = {"agent": "1.2.3", "board": {"model": "Raspberry Pi 5 Model B", "architecture": "aarch64"}}
UPDATE = {"installed_version": "1.0.0", "latest_version": "1.1.0", "title": "coco-nano"}
PYTHON = "EDGEAGENT_HOME_ASSISTANT_PYTHON"
CHECKER = Path(__file__).parent / "check_with_home_assistant.py"


def components() -> discovery.Components:
    return (
        discovery.problem_entities(DEVICE)
        | discovery.model_update(DEVICE, UPDATE, commands=True)
        | discovery.pictures(DEVICE, ("yard",))
        | discovery.sensors(DEVICE, documented())
    )


def message() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(discovery.discovery(DEVICE, INFO, components()))
    return found


def rendered(template: str, payload: str) -> str:
    """What Home Assistant makes of a payload, whose templates are those of Jinja."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["tojson"] = json.dumps
    values = {"value": payload, "value_json": json.loads(payload) if payload[:1] == "{" else None}
    return environment.from_string(template).render(values)


def test_the_form_is_that_of_a_device() -> None:
    found = message()
    assert discovery.discovery_topic("homeassistant", DEVICE) == "homeassistant/device/gate-pi/config"
    assert found["dev"]["ids"] == ["edgeagent_gate-pi"]
    assert found["dev"]["mdl"] == "Raspberry Pi 5 Model B"
    assert found["o"]["name"] == "edgeagent"
    ids = [component["uniq_id"] for component in found["cmps"].values()]
    assert len(set(ids)) == len(ids)
    for key, component in found["cmps"].items():
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", key)
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", component["uniq_id"])
        assert component["p"] in ("sensor", "binary_sensor", "update", "image")


def test_every_sensor_reads_the_value_of_the_message() -> None:
    telemetry = documented()
    payload = telemetry.payload().decode()
    values = {
        key: rendered(component["val_tpl"], payload)
        for key, component in components().items()
        if component["p"] == "sensor"
    }
    assert all(re.fullmatch(r"-?\d+(\.\d+)?(e-\d+)?", value) for value in values.values()), values
    yard, system = telemetry.cameras["yard"], telemetry.system
    assert system.power is not None
    assert system.energy is not None
    assert float(values["yard_fps_processed"]) == yard.fps_processed
    assert float(values["yard_end_to_end_p50_ms"]) == yard.stages["end_to_end"].p50_ms
    assert float(values["power"]) == system.power.watts
    assert float(values["energy"]) == pytest.approx(system.energy.total_j / 3.6e6)
    assert float(values["temperature_cpu-thermal"]) == system.temperatures_c["cpu-thermal"]
    assert float(values["temperature_apex_0"]) == 48.3


def test_what_has_no_value_has_no_sensor() -> None:
    telemetry = documented()
    system = telemetry.system.model_copy(update={"power": None, "energy": None})
    found = discovery.sensors(DEVICE, telemetry.model_copy(update={"system": system}))
    assert "power" not in found
    assert "energy" not in found
    assert "yard_end_to_end_p99_ms" not in found  # too few samples in the example


def test_a_value_that_is_gone_makes_a_sensor_unknown_and_an_old_message_changes_nothing() -> None:
    telemetry = documented()
    found = discovery.sensors(DEVICE, telemetry)
    system = telemetry.system.model_copy(update={"power": None, "energy": None, "temperatures_c": {}})
    gone = telemetry.model_copy(update={"system": system, "cameras": {}}).payload().decode()
    for key in ("power", "energy", "temperature_cpu-thermal", "yard_end_to_end_p50_ms", "yard_fps_in"):
        assert rendered(found[key]["val_tpl"], gone) == "None"
    old = historical(telemetry.payload()).decode()
    assert {rendered(component["val_tpl"], old) for component in found.values()} == {""}


def test_each_problem_is_on_while_it_is_told() -> None:
    problem = Problem(code="throttled", text="72 °C", since="2026-01-31T12:00:00.000Z")
    payload = Alarm(time="2026-01-31T12:00:00.000Z", problems=(problem,)).payload().decode()
    states = {}
    for key, component in discovery.problem_entities(DEVICE).items():
        states[key.removeprefix("problem_")] = rendered(component["val_tpl"], payload)
        attributes = json.loads(rendered(component["json_attr_tpl"], payload))
        assert attributes == (problem.model_dump(exclude_none=True) if key == "problem_throttled" else {})
    assert states == {code: "ON" if code == "throttled" else "OFF" for code in get_args(ProblemCode)}


@pytest.mark.parametrize("status", ["online", "stopped", "offline"])
def test_availability_follows_status(status: str) -> None:
    (availability,) = message()["avty"]
    assert availability["t"] == f"{ROOT}/{DEVICE}/status"
    assert rendered(availability["val_tpl"], status) == ("online" if status == "online" else "offline")


def test_an_update_can_be_asked_for_only_with_commands_and_anew_when_it_changes() -> None:
    assert "cmd_t" not in discovery.model_update(DEVICE, UPDATE, commands=False)["update"]
    first, second, other = (
        json.loads(discovery.model_update(DEVICE, state, commands=True)["update"]["pl_inst"])
        for state in (UPDATE, {**UPDATE, "update_percentage": 3.0}, {**UPDATE, "latest_version": "1.2.0"})
    )
    assert first["command"] == "check_now"
    assert first == second
    assert first["request_id"] != other["request_id"]


def test_home_assistant_takes_every_component() -> None:
    """Its package needs versions of its own: give the Python of an environment that has it."""
    python = os.environ.get(PYTHON)
    if python is None:
        pytest.skip(f"set {PYTHON} to a Python that has the packages homeassistant and paho-mqtt")
    done = subprocess.run(
        [python, str(CHECKER)], input=json.dumps(message()), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(components())
