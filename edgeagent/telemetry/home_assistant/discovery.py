"""Discovery message for Home Assistant, built from the contract.

Format: home-assistant.io, integration MQTT, "Device discovery payload" (Home Assistant 2024.11 or newer).
The entities read the topics of docs/mqtt.md. A sensor is announced only after its first value, so a reading
that a board lacks never shows as unknown. Values of ``historical`` messages are ignored, as Home Assistant
would take them for present ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from edgeagent.telemetry.contract.messages import ROOT, CameraReport, EventKind, ProblemCode, Telemetry
from edgeagent.version import __version__

Component = dict[str, Any]
Components = dict[str, Component]

AVAILABILITY = "{{ 'online' if value == 'online' else 'offline' }}"
PERCENTILES = ("p50_ms", "p90_ms", "p99_ms")
PROBLEMS = {
    "starting": "Starting",
    "not_detecting": "Not detecting",
    "fallback_delegate": "Slower delegate",
    "update_rejected": "Update rejected",
    "rolled_back": "Update rolled back",
    "throttled": "Throttled",
    "under_voltage": "Under-voltage",
    "drift": "Drift",
    "certificate_expires": "Certificate expires",
    "internal_error": "Internal error",
    "page_unreachable": "Page unreachable",
    "camera_lost": "Camera lost",
    "camera_unhealthy": "Camera unhealthy",
    "low_agreement": "Low agreement",
    "delivery_unavailable": "Delivery unavailable",
    "repository_refused": "Repository refused",
    "repository_expires": "Repository expires",
    "agent_update_failed": "Agent update failed",
    "configuration_refused": "Configuration refused",
    "configuration_rolled_back": "Configuration rolled back",
}


def discovery_topic(prefix: str, device: str) -> str:
    """Return the topic of a device's discovery message."""
    return f"{prefix}/device/{device}/config"


def discovery(device: str, info: dict[str, Any] | None, components: Components) -> bytes:
    """Return the discovery message as JSON.

    Args:
        device: name of the device in topics.
        info: its ``info`` message; None while no model serves.
        components: its entities, by key.
    """
    about: dict[str, Any] = {"ids": [f"edgeagent_{device}"], "name": device, "mf": "edgeagent"}
    if info is not None:
        board = info["board"]
        about |= {"mdl": board.get("model", board["architecture"]), "sw": info["agent"]}
    message = {
        "dev": about,
        "o": {"name": "edgeagent", "sw": __version__},
        "avty": [{"t": f"{ROOT}/{device}/status", "val_tpl": AVAILABILITY}],
        "qos": 1,
        "cmps": {key: _identified(device, key, component) for key, component in components.items()},
    }
    return json.dumps(message, separators=(",", ":")).encode()


def removal(platform: str) -> Component:
    """Return the component that deletes an entity of a platform, inside a discovery message."""
    return {"p": platform}


def problem_entities(device: str) -> Components:
    """Return a binary sensor for each problem code of ``alarm``."""
    topic = f"{ROOT}/{device}/alarm"
    found: Components = {}
    for code in get_args(ProblemCode):
        chosen = f"value_json.problems | selectattr('code', 'eq', '{code}') | list"
        found[f"problem_{code}"] = {
            "p": "binary_sensor",
            "name": PROBLEMS[code],
            "dev_cla": "problem",
            "ent_cat": "diagnostic",
            "stat_t": topic,
            "val_tpl": f"{{{{ 'ON' if {chosen} else 'OFF' }}}}",
            "json_attr_t": topic,
            "json_attr_tpl": f"{{{{ ({chosen} + [{{}}])[0] | tojson }}}}",
        }
    return found


def model_update(device: str, state: dict[str, Any], commands: bool) -> Components:
    """Return the update entity of the model; with ``commands``, its button sends ``check_now``.

    Home Assistant always sends the same payload, and a request ID is executed only once; so the ID in the
    payload is derived from the state of the update.

    Args:
        device: name of the device in topics.
        state: the ``update`` message.
        commands: whether the device accepts ``cmd``.
    """
    component: Component = {
        "p": "update",
        "name": "Model",
        "ent_cat": "diagnostic",
        "stat_t": f"{ROOT}/{device}/update",
    }
    if commands:
        asked = [state.get(key) for key in ("installed_version", "latest_version", "release_summary")]
        digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
        request = {"request_id": f"home-assistant-{digest}", "command": "check_now"}
        component |= {"cmd_t": f"{ROOT}/{device}/cmd", "pl_inst": json.dumps(request)}
    return {"update": component}


def event_entity(device: str) -> Components:
    """Return an event entity for the events of all kinds but ``presence``, which has entities of its own."""
    event = "dict(value_json.get('data', {}), event_type=value_json.kind, text=value_json.text)"
    wanted = "value_json.historical is not defined and value_json.kind != 'presence'"
    return {
        "event": {
            "p": "event",
            "name": "Event",
            "ent_cat": "diagnostic",
            "stat_t": f"{ROOT}/{device}/events/+",
            "evt_typ": [kind for kind in get_args(EventKind) if kind != "presence"],
            "val_tpl": f"{{% if {wanted} %}}{{{{ {event} | tojson }}}}{{% endif %}}",
        }
    }


def pictures(device: str, cameras: tuple[str, ...]) -> Components:
    """Return an image entity for each camera."""
    return {
        f"{camera}_picture": {
            "p": "image",
            "name": f"{camera} detections",
            "img_t": f"{ROOT}/{device}/picture/{camera}",
            "cont_type": "image/jpeg",
        }
        for camera in cameras
    }


def sensors(device: str, telemetry: Telemetry) -> Components:
    """Return a sensor for each value in a telemetry message."""
    topic = f"{ROOT}/{device}/telemetry"
    found = dict(_system(telemetry, topic))
    for camera, report in telemetry.cameras.items():
        found |= dict(_camera(camera, report))
    return {key: {"p": "sensor", "stat_t": topic, **component} for key, component in found.items()}


def _camera(camera: str, report: CameraReport) -> Iterator[tuple[str, Component]]:
    place = ("cameras", camera)
    for name in ("fps_in", "fps_processed"):
        words = f"{camera} frames {'in' if name == 'fps_in' else 'processed'}"
        yield f"{camera}_{name}", telemetry_sensor(words, "fps", (*place, name), digits=1)
    for name in ("frames_dropped", "frames_failed"):
        words = f"{camera} {name.replace('_', ' ')}"
        yield f"{camera}_{name}", telemetry_sensor(words, "frames", (*place, name), state="total_increasing")
    for stage in ("end_to_end", "inference"):
        times = report.stages.get(stage)
        for percentile in PERCENTILES:
            if getattr(times, percentile, None) is not None:
                words = f"{camera} {stage.replace('_', ' ')} {percentile.removesuffix('_ms')}"
                field = (*place, "stages", stage, percentile)
                yield (
                    f"{camera}_{stage}_{percentile}",
                    telemetry_sensor(words, "ms", field, "duration", digits=1),
                )


def _system(telemetry: Telemetry, topic: str) -> Iterator[tuple[str, Component]]:
    system = telemetry.system

    def measured(name: str, unit: str, *field: str, kind: str | None = None, digits: int = 0) -> Component:
        return telemetry_sensor(name, unit, ("system", *field), kind, digits=digits)

    yield "cpu", measured("Processor load", "%", "cpu_percent")
    yield "agent_cpu", measured("Agent processor load", "%", "agent_cpu_percent")
    yield "agent_memory", measured("Agent memory", "MB", "agent_rss_mb", kind="data_size")
    yield "memory_available", measured("Memory available", "MB", "memory_available_mb", kind="data_size")
    heat: dict[str, tuple[str, ...]] = {zone: ("temperatures_c", zone) for zone in system.temperatures_c}
    for chip, report in (system.accelerators or {}).items():
        if report.temperature_c is not None:
            heat[chip] = ("accelerators", chip, "temperature_c")
    for name, field in heat.items():
        component = measured(f"Temperature {name}", "°C", *field, kind="temperature", digits=1)
        yield f"temperature_{_key(name)}", component
    if system.power is not None:
        watts = measured("Power", "W", "power", "watts", kind="power", digits=2)
        yield "power", watts | _origin(topic, "power")
    if system.energy is not None:
        total = ("system", "energy", "total_j")
        energy = telemetry_sensor("Energy", "kWh", total, "energy", "total_increasing", 3, "3.6e6")
        yield "energy", energy | _origin(topic, "energy")
    if system.joules_per_inference is not None:
        per_inference = measured("Energy per inference", "J", "joules_per_inference", "value_j", digits=3)
        yield "energy_per_inference", per_inference | _origin(topic, "joules_per_inference")
    if system.gpu_percent is not None:
        yield "gpu", measured("GPU load", "%", "gpu_percent")
    if system.fps_limit is not None:
        yield "fps_limit", measured("Frame rate limit", "fps", "fps_limit", digits=1)
    dropped = telemetry_sensor(
        "Messages dropped", "messages", ("messages_dropped",), state="total_increasing"
    )
    yield "messages_dropped", dropped | {"ent_cat": "diagnostic"}


def _origin(topic: str, field: str) -> Component:
    """Return the attributes of a sensor that describe the measurement: quality, source, idle baseline."""
    parts = f"value_json.get('system', {{}}).get('{field}', {{}}).items()"
    chosen = f"{parts} | selectattr(0, 'in', ['quality', 'source', 'idle', 'estimated_input_w'])"
    return {"json_attr_t": topic, "json_attr_tpl": f"{{{{ dict({chosen}) | tojson }}}}"}


def telemetry_sensor(
    name: str,
    unit: str,
    field: Sequence[str],
    device_class: str | None = None,
    state: str = "measurement",
    digits: int | None = None,
    divisor: str | None = None,
) -> Component:
    """Return a sensor of a field of ``telemetry``; an absent field makes it unknown."""
    *way, last = (json.dumps(step, ensure_ascii=False) for step in field)
    value = "value_json" + "".join(f".get({step}, {{}})" for step in way) + f".get({last})"
    if divisor is not None:
        value = f"{value} / {divisor} if {value} is number else none"
    component: Component = {
        "name": name,
        "unit_of_meas": unit,
        "stat_cla": state,
        "val_tpl": f"{{% if value_json.historical is not defined %}}{{{{ {value} }}}}{{% endif %}}",
    }
    if device_class is not None:
        component["dev_cla"] = device_class
    if digits is not None:
        component["sug_dsp_prc"] = digits
    return component


def _identified(device: str, key: str, component: Component) -> Component:
    return component if set(component) == {"p"} else {**component, "uniq_id": f"edgeagent_{device}_{key}"}


def entity_key(name: str) -> str:
    """Return a name as a part of a key: letters, digits, ``_`` and ``-``; different for different names."""
    key = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return key if key == name else f"{key}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
