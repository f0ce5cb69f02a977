"""Generator of the machine-readable contract: JSON Schema of every message, and an AsyncAPI 3.0 document.

``python -m edgeagent.telemetry.contract.schema`` writes docs/mqtt.schema.json and docs/asyncapi.yaml;
docs/mqtt.md is the contract for people. The schemas use no keyword beyond draft 7, the dialect of AsyncAPI.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from edgeagent.telemetry.contract.messages import ROOT, Status
from edgeagent.telemetry.contract.streams import STREAMS, Stream

VERSION = "1"
SCHEMA, ASYNCAPI = "mqtt.schema.json", "asyncapi.yaml"
CONTENT_TYPES = {Status: "text/plain", bytes: "image/jpeg"}
PARAMETERS = {
    "device": "Name of the device: letters, digits, - and _.",
    "camera": "Name of the camera, as configured.",
    "kind": "Kind of the event.",
}


def payload_schemas(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the payload schemas by stream, and the schemas of the types that they reference at ``place``."""
    mode: JsonSchemaMode = "validation"
    kinds = [(stream.name, mode, TypeAdapter(stream.kind)) for stream in STREAMS]
    found, shared = TypeAdapter.json_schemas(kinds, ref_template=f"{place}/{{model}}")
    payloads = {name: _as_sent(schema) for (name, _), schema in found.items()}
    return payloads, {name: _as_sent(schema) for name, schema in shared["$defs"].items()}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema document: ``$defs`` by type, and which topic carries which."""
    payloads, types = payload_schemas("#/$defs")
    topics = {f"{ROOT}/<device>/{stream.topic}": payloads[stream.name] for stream in STREAMS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edgeagent MQTT contract, version 1",
        "description": "Types of docs/mqtt.md. Version 1 only grows: ignore fields that you do not know.",
        "x-topics": topics,
        "$defs": types,
    }


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI document, from the point of view of the device."""
    payloads, types = payload_schemas("#/components/schemas")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "edgeagent",
            "version": VERSION,
            "description": "What an edgeagent device publishes; docs/mqtt.md explains every field.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {"host": "broker.local:1883", "protocol": "mqtt", "protocolVersion": "5"},
        },
        "channels": {stream.name: _channel(stream) for stream in STREAMS},
        "operations": {f"{stream.direction}-{stream.name}": _operation(stream) for stream in STREAMS},
        "components": {
            "messages": {stream.name: _message(stream, payloads[stream.name]) for stream in STREAMS},
            "schemas": types,
        },
    }


def _channel(stream: Stream) -> dict[str, Any]:
    names = ["device", *([stream.parameter] if stream.parameter else [])]
    topic = stream.topic.replace("<", "{").replace(">", "}")
    return {
        "address": f"{ROOT}/{{device}}/{topic}",
        "description": stream.about,
        "messages": {stream.name: {"$ref": f"#/components/messages/{stream.name}"}},
        "parameters": {name: {"description": PARAMETERS[name]} for name in names},
    }


def _operation(stream: Stream) -> dict[str, Any]:
    return {
        "action": stream.direction,
        "channel": {"$ref": f"#/channels/{stream.name}"},
        "messages": [{"$ref": f"#/channels/{stream.name}/messages/{stream.name}"}],
        "bindings": {"mqtt": {"qos": stream.qos, "retain": stream.retained, "bindingVersion": "0.2.0"}},
    }


def _message(stream: Stream, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": stream.name,
        "summary": stream.about,
        "contentType": CONTENT_TYPES.get(stream.kind, "application/json"),
        "payload": payload,
    }


def _as_sent(schema: Any) -> Any:
    """Return a pydantic schema adapted to the wire format: an unknown value is absent, never null."""
    if isinstance(schema, list):
        return [_as_sent(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: _as_sent(part)
        for key, part in schema.items()
        if not (key == "title" and isinstance(part, str))  # repeats the name
        and not (key == "discriminator" and "oneOf" in schema)  # OpenAPI syntax; AsyncAPI differs
    }
    if isinstance(text := found.get("description"), str):
        found["description"] = text.partition("\n\n")[0].replace("``", "`")
    if "default" in found and found["default"] is None:
        del found["default"]
        known = [part for part in found.get("anyOf", ()) if part != {"type": "null"}]
        found["anyOf"] = known
        if len(known) == 1:
            del found["anyOf"]
            found.update(known[0])
    if isinstance(parts := found.get("prefixItems"), list):  # a tuple of one type
        (found["items"],) = [part for place, part in enumerate(parts) if part not in parts[:place]]
        del found["prefixItems"]
    return found


def write_contract(folder: Path) -> None:
    """Write both documents to a folder."""
    text = json.dumps(json_schema(), indent=2) + "\n"
    (folder / SCHEMA).write_text(text, encoding="utf-8")
    made = yaml.safe_dump(asyncapi(), sort_keys=False, width=110, allow_unicode=True)
    head = (
        "# Generated by python -m edgeagent.telemetry.contract.schema"
        " from edgeagent/telemetry/contract/streams.py\n"
    )
    (folder / ASYNCAPI).write_text(head + made, encoding="utf-8")


if __name__ == "__main__":
    write_contract(Path(__file__).parents[3] / "docs")
