"""Entities of zones and lines: their templates read our messages, and they go with their zone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.home_assistant import HomeAssistantSettings
from edgeagent.telemetry.contract.commands import _COMMAND
from edgeagent.telemetry.contract.messages import ROOT, Event, EventKind, historical
from edgeagent.telemetry.contract.scene import LineState, ZonesMessage, ZoneState
from edgeagent.telemetry.home_assistant import scene_entities as entities
from edgeagent.telemetry.home_assistant.announcer import ANNOUNCED, AnnouncedDevice, Announcer
from tests.telemetry.home_assistant.test_announcer import Connected
from tests.telemetry.home_assistant.test_discovery import DEVICE, rendered
from tests.telemetry.home_assistant.values import documented

SQUARE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]
GATE = {"name": "gate", "polygon": SQUARE, "objects": {"labels": ["person"]}, "loiter_after": 30.0}
PATH = {"name": "path", "polygon": SQUARE}
GATE_WORD = re.compile(r"\bgate\b")
DOOR = {"name": "door", "begin": [0.5, 0.9], "end": [0.5, 0.1]}


def camera(*zones: dict[str, Any], lines: tuple[dict[str, Any], ...] = (DOOR,)) -> CameraSettings:
    return CameraSettings.model_validate({"name": "yard", "source": "0", "zones": zones, "lines": lines})


def named(found: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    (one,) = (component for component in found.values() if component.get("name") == name)
    return one


def zones(occupied: bool = True, people: int = 2) -> str:
    gate = ZoneState(occupied=occupied, since="2026-01-31T12:00:00.000Z", objects={"person": people})
    door = LineState(crossed_in={"person": 3, "car": 4}, crossed_out={})
    made = ZonesMessage(time="2026-01-31T12:00:00.000Z", zones={"gate": gate}, lines={"door": door})
    return made.payload().decode()


EMPTY = '{"time": "2026-01-31T12:00:00.000Z", "zones": {}, "lines": {}}'


def test_occupancy_counts_and_lines_read_the_message() -> None:
    found = entities.scene_entities(DEVICE, [camera(GATE)])
    occupied, people = named(found, "yard gate occupied"), named(found, "yard gate person")
    assert occupied["stat_t"] == f"{ROOT}/{DEVICE}/zones/yard"
    assert rendered(occupied["val_tpl"], zones()) == "ON"
    assert rendered(occupied["val_tpl"], zones(occupied=False)) == "OFF"
    assert rendered(occupied["val_tpl"], EMPTY) == "None"
    assert json.loads(rendered(occupied["json_attr_tpl"], zones()))["objects"] == {"person": 2}
    assert rendered(people["val_tpl"], zones()) == "2"
    assert rendered(people["val_tpl"], EMPTY) == "None"
    crossed_in, crossed_out = named(found, "yard door crossed in"), named(found, "yard door crossed out")
    assert crossed_in["stat_cla"] == "total_increasing"
    assert [rendered(one["val_tpl"], zones()) for one in (crossed_in, crossed_out)] == ["7", "0"]
    assert rendered(crossed_in["val_tpl"], EMPTY) == "None"
    assert json.loads(rendered(crossed_in["json_attr_tpl"], zones())) == {"person": 3, "car": 4}


def test_a_label_without_an_object_is_zero() -> None:
    (car,) = entities._number(DEVICE, "yard", "gate", "car").values()
    assert rendered(car["val_tpl"], zones()) == "0"


def event(kind: EventKind, **data: Any) -> str:
    made = Event(time="2026-01-31T12:00:00.000Z", sequence=1, kind=kind, text="words", data=data)
    return made.payload().decode()


def test_each_trigger_fires_for_its_event_and_for_no_other_or_late_one() -> None:
    found = entities.scene_entities(DEVICE, [camera(GATE, PATH)])
    triggers = [one for one in found.values() if one["p"] == "device_automation"]
    sent = {
        (f"{state}", f"zone {zone} at yard"): event("zone", camera="yard", zone=zone, state=state)
        for zone, states in (("gate", ("occupied", "free", "loiter")), ("path", ("occupied", "free")))
        for state in states
    }
    for way in ("in", "out"):
        told = event("line", camera="yard", line="door", label="person", direction=way, track=1)
        sent[f"crossed {way}", "line door at yard"] = told
    assert {(one["type"], one["subtype"]) for one in triggers} == set(sent)
    for trigger in triggers:
        kind = trigger["topic"].rpartition("/")[2]
        fires = {
            about
            for about, text in sent.items()
            if json.loads(text)["kind"] == kind
            and rendered(trigger["value_template"], text) == trigger["payload"]
        }
        assert fires == {(trigger["type"], trigger["subtype"])}
        late = historical(sent[trigger["type"], trigger["subtype"]].encode()).decode()
        assert rendered(trigger["value_template"], late) == ""


def test_a_zone_without_a_filter_has_the_labels_that_are_counted() -> None:
    found = entities.zone_counts(DEVICE, [camera(GATE, PATH)], documented())
    assert {one["name"] for one in found.values()} == {"yard path person", "yard path car"}


def test_keys_differ_however_names_are_put_together() -> None:
    square = {"polygon": SQUARE, "objects": {"labels": ["c", "b_c", "b/c"]}}
    found = entities.scene_entities(DEVICE, [camera({"name": "a", **square}, {"name": "a_b", **square})])
    assert len(found) == 2 * (1 + 3 + 2) + 4
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", key) for key in found)


@pytest.mark.parametrize("armed", [True, False])
def test_the_switch_sends_commands_with_a_new_id_for_each_state(armed: bool) -> None:
    state = {"armed": armed, "since": "2026-01-31T22:00:00.249Z"}
    (switch,) = entities.arming_switch(DEVICE, state).values()
    assert rendered(switch["val_tpl"], json.dumps(state)) == (switch["stat_on"] if armed else "OFF")
    on, off = (_COMMAND.validate_json(switch[key]) for key in ("pl_on", "pl_off"))
    assert (on.command, off.command) == ("arm", "disarm")
    (later,) = entities.arming_switch(DEVICE, {**state, "since": "2026-01-31T22:00:01.000Z"}).values()
    ids = {json.loads(one[key])["request_id"] for one in (switch, later) for key in ("pl_on", "pl_off")}
    assert len(ids) == 4


def announced(state: Path, *zones: dict[str, Any], switch: bool = False) -> tuple[Announcer, dict[str, Any]]:
    device = AnnouncedDevice(
        "board", ("yard",), False, ("person",), (camera(*zones),), ("yard",) if switch else (), switch
    )
    announcer = Announcer(Connected(), HomeAssistantSettings(), device, state)
    announcer.update({"armed": b'{"armed": true, "since": "x"}'})
    announcer.record(documented())
    payload: bytes = announcer._payload
    components: dict[str, Any] = json.loads(payload)["cmps"]
    return announcer, components


def test_entities_of_a_zone_go_with_it_and_stay_at_a_start(tmp_path: Path) -> None:
    _, first = announced(tmp_path, GATE, PATH, switch=True)
    assert first["armed"]["p"] == "switch"
    assert first["yard_snapshot"]["img_t"] == f"{ROOT}/board/snapshot/yard"
    _, again = announced(tmp_path, GATE, PATH, switch=True)
    assert again == first
    _, without = announced(tmp_path, PATH)
    gone = {key for key, component in without.items() if set(component) == {"p"}}
    assert gone == {
        key
        for key, one in first.items()
        if GATE_WORD.search(one.get("name") or one["subtype"]) or key in ("armed", "yard_snapshot")
    }
    assert not GATE_WORD.search((tmp_path / ANNOUNCED).read_text())
