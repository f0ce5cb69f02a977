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

from edgeagent.telemetry.contract.messages import (
    ROOT,
    Alarm,
    Event,
    EventKind,
    Problem,
    ProblemCode,
    historical,
)
from edgeagent.telemetry.contract.presence import LabelPresence, Presence
from edgeagent.telemetry.home_assistant import discovery
from edgeagent.telemetry.home_assistant.object_entities import object_entities
from tests.telemetry.home_assistant.values import documented

DEVICE = "gate-pi"
INFO = {"agent": "1.2.3", "board": {"model": "Raspberry Pi 5 Model B", "architecture": "aarch64"}}
UPDATE = {"installed_version": "1.0.0", "latest_version": "1.1.0", "title": "coco-nano"}
PLATFORMS = ("sensor", "binary_sensor", "update", "image", "event", "device_automation")
PYTHON = "EDGEAGENT_HOME_ASSISTANT_PYTHON"
CHECKER = Path(__file__).parent / "check_with_home_assistant.py"


def components() -> discovery.Components:
    return (
        discovery.problem_entities(DEVICE)
        | discovery.model_update(DEVICE, UPDATE, commands=True)
        | discovery.pictures(DEVICE, ("yard",))
        | discovery.event_entity(DEVICE)
        | discovery.sensors(DEVICE, documented())
        | object_entities(DEVICE, documented())
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
        assert component["p"] in PLATFORMS


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
    assert (values["yard_objects_person"], values["yard_objects_car"]) == ("1", "0")
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


def test_power_shows_how_it_is_measured() -> None:
    telemetry = documented()
    payload, found = telemetry.payload().decode(), components()
    shown = {
        key: json.loads(rendered(found[key]["json_attr_tpl"], payload))
        for key in ("power", "energy", "energy_per_inference")
    }
    origin = {"source": "INA3221 VDD_IN", "quality": "module"}
    assert shown == {
        "power": origin,
        "energy": origin,
        "energy_per_inference": {**origin, "idle": "measured"},
    }
    nothing = telemetry.system.model_copy(update={"power": None})
    gone = telemetry.model_copy(update={"system": nothing}).payload().decode()
    assert rendered(found["power"]["json_attr_tpl"], gone) == "{}"


def event(kind: EventKind, **data: Any) -> str:
    made = Event(time="2026-01-31T12:00:00.000Z", sequence=1, kind=kind, text="words", data=data or None)
    return made.payload().decode()


def test_every_event_but_presence_reaches_the_event_entity_and_an_old_one_does_not() -> None:
    entity = discovery.event_entity(DEVICE)["event"]
    assert entity["stat_t"] == f"{ROOT}/{DEVICE}/events/+"
    for kind in get_args(EventKind):
        text = rendered(entity["val_tpl"], event(kind, state="x"))
        if kind == "presence":
            assert text == ""
        else:
            assert json.loads(text) == {"event_type": kind, "text": "words", "state": "x"}
            assert kind in entity["evt_typ"]
    assert json.loads(rendered(entity["val_tpl"], event("fault"))) == {"event_type": "fault", "text": "words"}
    assert rendered(entity["val_tpl"], historical(event("camera").encode()).decode()) == ""


@pytest.mark.parametrize("label", ["person", "traffic light", 'x"}} {% raw %} {{ 7*7 }}\\', "Straße"])
def test_occupancy_and_triggers_follow_presence_of_any_label(label: str) -> None:
    telemetry = documented()
    yard = telemetry.cameras["yard"]
    (report, *_) = (yard.objects or {}).values()
    cameras = {"yard": yard.model_copy(update={"objects": {label: report}})}
    found = object_entities(DEVICE, telemetry.model_copy(update={"cameras": cameras}))
    sensor, occupancy, appeared, disappeared = found.values()
    payload = telemetry.model_copy(update={"cameras": cameras}).payload().decode()
    assert rendered(sensor["val_tpl"], payload) == "1"
    assert json.loads(rendered(sensor["json_attr_tpl"], payload)) == report.model_dump()

    def state(cameras: dict[str, dict[str, LabelPresence]]) -> tuple[str, Any]:
        text = Presence(time="2026-01-31T12:00:00.000Z", cameras=cameras).payload().decode()
        attributes = json.loads(rendered(occupancy["json_attr_tpl"], text))
        return rendered(occupancy["val_tpl"], text), attributes.get("since")

    since = "2026-01-31T11:59:00.000Z"
    for present, word in ((True, "ON"), (False, "OFF")):
        assert state({"yard": {label: LabelPresence(present=present, since=since)}}) == (word, since)
    assert state({}) == state({"yard": {}}) == ("None", None)
    for trigger, one in ((appeared, "appeared"), (disappeared, "disappeared")):
        for happened in ("appeared", "disappeared"):
            text = event("presence", camera="yard", label=label, state=happened, count=1)
            fires = rendered(trigger["value_template"], text) == trigger["payload"]
            assert fires == (happened == one)
        assert (trigger["type"], trigger["subtype"]) == (one, f"{label} at yard")
        past = historical(event("presence", camera="yard", label=label, state=one).encode()).decode()
        assert rendered(trigger["value_template"], past) == ""


def test_labels_that_look_alike_have_entities_of_their_own() -> None:
    telemetry = documented()
    yard = telemetry.cameras["yard"]
    (report, *_) = (yard.objects or {}).values()
    labels = dict.fromkeys(("traffic light", "traffic_light", "traffic/light"), report)
    cameras = {"yard": yard.model_copy(update={"objects": labels})}
    found = object_entities(DEVICE, telemetry.model_copy(update={"cameras": cameras}))
    assert len(found) == 4 * len(labels)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", key) for key in found)


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
