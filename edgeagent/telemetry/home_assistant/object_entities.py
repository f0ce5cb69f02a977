"""Entities and device triggers of the objects that a camera sees, one set for each camera and label.

A device trigger must not fire for a retained message, which Home Assistant receives at each of its starts; so
triggers read ``events/presence``, and the binary sensor reads ``presence``.
"""

from __future__ import annotations

import json

from edgeagent.telemetry.contract.messages import ROOT, Telemetry
from edgeagent.telemetry.home_assistant.discovery import Component, Components, entity_key, telemetry_sensor


def object_entities(device: str, telemetry: Telemetry) -> Components:
    """Return the components for each camera and label that a telemetry message counts."""
    found: Components = {}
    for camera, report in telemetry.cameras.items():
        for label in report.objects or {}:
            key = entity_key(label)
            found[f"{camera}_objects_{key}"] = _number(device, camera, label)
            found[f"{camera}_presence_{key}"] = _presence(device, camera, label)
            for state in ("appeared", "disappeared"):
                found[f"{camera}_{state}_{key}"] = _trigger(device, camera, label, state)
    return found


def _number(device: str, camera: str, label: str) -> Component:
    topic, place = f"{ROOT}/{device}/telemetry", ("cameras", camera, "objects", label)
    camera_text, label_text = _text(camera), _text(label)
    objects = f"value_json.cameras.get({camera_text}, {{}}).get('objects', {{}}).get({label_text}, {{}})"
    return {
        "p": "sensor",
        "stat_t": topic,
        **telemetry_sensor(f"{camera} {label}", "objects", (*place, "current"), digits=0),
        "json_attr_t": topic,
        "json_attr_tpl": f"{{{{ {objects} | tojson }}}}",
    }


def _presence(device: str, camera: str, label: str) -> Component:
    topic = f"{ROOT}/{device}/presence"
    found = f"value_json.cameras.get({_text(camera)}, {{}}).get({_text(label)}, {{}})"
    return {
        "p": "binary_sensor",
        "name": f"{camera} {label} present",
        "dev_cla": "occupancy",
        "stat_t": topic,
        "val_tpl": f"{{% set p = {found} %}}{{{{ ('ON' if p.present else 'OFF') if p else 'None' }}}}",
        "json_attr_t": topic,
        "json_attr_tpl": f"{{{{ {found} | tojson }}}}",
    }


def _trigger(device: str, camera: str, label: str, state: str) -> Component:
    data = "value_json.data"
    words = f"{{{{ {data}.camera }}}} {{{{ {data}.state }}}} {{{{ {data}.label }}}}"
    return {
        "p": "device_automation",
        "automation_type": "trigger",
        "topic": f"{ROOT}/{device}/events/presence",
        "value_template": f"{{% if value_json.historical is not defined %}}{words}{{% endif %}}",
        "payload": f"{camera} {state} {label}",
        "type": state,
        "subtype": f"{label} at {camera}",
    }


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
