"""Entities and device triggers of zones and lines, pictures of objects, and the switch of their events.

Zones and lines are announced from the configuration, as their topic ``zones/<camera>`` has all of them. The
number of objects in a zone has a sensor for each label of the zone's filter; without a filter, for each label
that the device counts, from the first telemetry on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.zones import ZoneSettings
from edgeagent.telemetry.contract.messages import ROOT, Telemetry
from edgeagent.telemetry.home_assistant.discovery import Component, Components, entity_key

DIRECTIONS = ("in", "out")


def scene_entities(device: str, cameras: Iterable[CameraSettings]) -> Components:
    """Return the components of all zones and lines that the configuration determines."""
    found: Components = {}
    for camera in cameras:
        for zone in camera.zones:
            name, loiters = zone.name, zone.loiter_after is not None
            found[_scene_key("zone", camera.name, name)] = _occupancy(device, camera.name, name)
            for label in zone.objects.labels:
                found |= _number(device, camera.name, name, label)
            for state in ("occupied", "free", *(("loiter",) if loiters else ())):
                key = _scene_key(f"zone_{state}", camera.name, name)
                found[key] = _zone_trigger(device, camera.name, name, state)
        for line in camera.lines:
            for way in DIRECTIONS:
                key = _scene_key(f"line_{way}", camera.name, line.name)
                found[key] = _crossings(device, camera.name, line.name, way)
                key = _scene_key(f"line_crossed_{way}", camera.name, line.name)
                found[key] = _line_trigger(device, camera.name, line.name, way)
    return found


def zone_counts(device: str, cameras: Iterable[CameraSettings], telemetry: Telemetry) -> Components:
    """Return the sensors of zones without a filter, for each label that a telemetry message counts."""
    found: Components = {}
    for camera in cameras:
        report = telemetry.cameras.get(camera.name)
        labels = report.objects or {} if report is not None else {}
        for zone in camera.zones:
            for label in labels if not zone.objects.labels else ():
                found |= _number(device, camera.name, zone.name, label)
    return found


def snapshot_images(device: str, cameras: Iterable[str]) -> Components:
    """Return an image entity of the last snapshot of each camera."""
    return {
        f"{camera}_snapshot": {
            "p": "image",
            "name": f"{camera} last object",
            "img_t": f"{ROOT}/{device}/snapshot/{camera}",
            "cont_type": "image/jpeg",
        }
        for camera in cameras
    }


def arming_switch(device: str, state: dict[str, Any]) -> Components:
    """Return the switch that sends ``arm`` and ``disarm``.

    Home Assistant always sends the same payloads, and a request ID is executed only once; so the ID in the
    payloads is derived from the state that they change.

    Args:
        device: name of the device in topics.
        state: the ``armed`` message.
    """
    told = json.dumps([state["armed"], state["since"]])
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    on, off = (
        json.dumps({"request_id": f"home-assistant-{command}-{digest}", "command": command})
        for command in ("arm", "disarm")
    )
    return {
        "armed": {
            "p": "switch",
            "name": "Armed",
            "stat_t": f"{ROOT}/{device}/armed",
            "val_tpl": "{{ 'ON' if value_json.armed else 'OFF' }}",
            "stat_on": "ON",
            "stat_off": "OFF",
            "cmd_t": f"{ROOT}/{device}/cmd",
            "pl_on": on,
            "pl_off": off,
        }
    }


def scene_facts(cameras: Iterable[CameraSettings]) -> list[str]:
    """Return what must be unchanged for sensors of zones and lines to be announced without a value."""
    facts = []
    for camera in cameras:
        facts += [json.dumps(["zone", camera.name, *_filtered(zone)]) for zone in camera.zones]
        facts += [json.dumps(["line", camera.name, line.name]) for line in camera.lines]
    return facts


def _filtered(zone: ZoneSettings) -> Sequence[str | bool]:
    return zone.name, zone.loiter_after is not None, *zone.objects.labels


def _occupancy(device: str, camera: str, zone: str) -> Component:
    topic, found = f"{ROOT}/{device}/zones/{camera}", f"value_json.zones.get({_text(zone)}, {{}})"
    return {
        "p": "binary_sensor",
        "name": f"{camera} {zone} occupied",
        "dev_cla": "occupancy",
        "stat_t": topic,
        "val_tpl": f"{{% set z = {found} %}}{{{{ ('ON' if z.occupied else 'OFF') if z else 'None' }}}}",
        "json_attr_t": topic,
        "json_attr_tpl": f"{{{{ {found} | tojson }}}}",
    }


def _number(device: str, camera: str, zone: str, label: str) -> Components:
    zone_found = f"value_json.zones.get({_text(zone)}, {{}})"
    value = f"(z.objects.get({_text(label)}, 0)) if z else none"
    component: Component = {
        "p": "sensor",
        "name": f"{camera} {zone} {label}",
        "unit_of_meas": "objects",
        "stat_cla": "measurement",
        "sug_dsp_prc": 0,
        "stat_t": f"{ROOT}/{device}/zones/{camera}",
        "val_tpl": f"{{% set z = {zone_found} %}}{{{{ {value} }}}}",
    }
    return {_scene_key("zone_count", camera, zone, label): component}


def _crossings(device: str, camera: str, line: str, way: str) -> Component:
    topic = f"{ROOT}/{device}/zones/{camera}"
    counts = f"value_json.lines.get({_text(line)}, {{}}).get('crossed_{way}', {{}})"
    known = f"{_text(line)} in value_json.lines"
    return {
        "p": "sensor",
        "name": f"{camera} {line} crossed {way}",
        "unit_of_meas": "objects",
        "stat_cla": "total_increasing",
        "sug_dsp_prc": 0,
        "stat_t": topic,
        "val_tpl": f"{{{{ {counts}.values() | sum if {known} else none }}}}",
        "json_attr_t": topic,
        "json_attr_tpl": f"{{{{ {counts} | tojson }}}}",
    }


def _zone_trigger(device: str, camera: str, zone: str, state: str) -> Component:
    words, subtype = ("camera", "zone", "state"), f"zone {zone} at {camera}"
    return _scene_trigger(device, "zone", words, f"{camera} {zone} {state}", (state, subtype))


def _line_trigger(device: str, camera: str, line: str, way: str) -> Component:
    words, subtype = ("camera", "line", "direction"), f"line {line} at {camera}"
    return _scene_trigger(device, "line", words, f"{camera} {line} {way}", (f"crossed {way}", subtype))


def _scene_trigger(
    device: str, kind: str, fields: tuple[str, ...], payload: str, shown: tuple[str, str]
) -> Component:
    words = " ".join(f"{{{{ value_json.data.{field} }}}}" for field in fields)
    return {
        "p": "device_automation",
        "automation_type": "trigger",
        "topic": f"{ROOT}/{device}/events/{kind}",
        "value_template": f"{{% if value_json.historical is not defined %}}{words}{{% endif %}}",
        "payload": payload,
        "type": shown[0],
        "subtype": shown[1],
    }


def _scene_key(kind: str, *levels: str) -> str:
    """Return a key that no other names can have."""
    return entity_key(f"{kind}/{'/'.join(levels)}")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
