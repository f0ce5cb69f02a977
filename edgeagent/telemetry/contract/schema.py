"""Generator of the machine-readable contract: JSON Schema of every message, and an AsyncAPI 3.0 document.

``python -m edgeagent.telemetry.contract.schema`` writes docs/mqtt.schema.json and docs/asyncapi.yaml;
docs/mqtt.md is the contract for people; its tables describe the fields here, too
(:mod:`edgeagent.telemetry.contract.descriptions`). The schemas use no keyword beyond draft 7, the dialect of
AsyncAPI. Their form is in :mod:`edgeagent.telemetry.contract.schema_form`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from edgeagent.telemetry.contract.descriptions import field_descriptions
from edgeagent.telemetry.contract.messages import ROOT, Status
from edgeagent.telemetry.contract.schema_form import as_sent, described, open_type
from edgeagent.telemetry.contract.streams import STREAMS, Stream

VERSION = "1"
DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = DOCS / "mqtt.md"
JPEG = {"type": "string", "contentMediaType": "image/jpeg"}
SCHEMA, ASYNCAPI = "mqtt.schema.json", "asyncapi.yaml"
CONTENT_TYPES = {Status: "text/plain", bytes: "image/jpeg"}
PARAMETERS = {
    "device": "Name of the device: letters, digits, - and _.",
    "camera": "Name of the camera, as configured.",
    "kind": "Kind of the event.",
}


def payload_schemas(place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the payload schemas by stream, and the schemas of the types that they reference at ``place``.

    Raises:
        UndescribedFieldError: docs/mqtt.md does not describe a field.
    """
    mode: JsonSchemaMode = "validation"
    kinds = [(stream.name, mode, TypeAdapter(stream.kind)) for stream in STREAMS if stream.kind is not bytes]
    found, shared = TypeAdapter.json_schemas(kinds, ref_template=f"{place}/{{model}}")
    payloads = {name: as_sent(schema) for (name, _), schema in found.items()}
    payloads |= {stream.name: JPEG for stream in STREAMS if stream.kind is bytes}
    about = field_descriptions(DOCUMENT.read_text(encoding="utf-8"))
    types = {name: as_sent(schema) for name, schema in shared["$defs"].items()}
    return payloads, {name: described(open_type(schema), about[name]) for name, schema in types.items()}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema document, of an object that has payloads by their topics; ``$defs`` by type."""
    payloads, types = payload_schemas("#/$defs")
    level = "[A-Za-z0-9_-]+"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:edgeagent:mqtt:1",
        "title": "edgeagent MQTT contract, version 1",
        "description": "Payloads of docs/mqtt.md by their topics. Version 1 only grows: ignore fields and "
        "topics that you do not know, and expect further values where values are listed as known.",
        "type": "object",
        "patternProperties": {
            f"^{ROOT}/{level}/{re.sub('<[a-z]+>', level, stream.topic)}$": {
                "description": stream.about,
                "allOf": [payloads[stream.name]],
            }
            for stream in STREAMS
        },
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
    write_contract(DOCS)
