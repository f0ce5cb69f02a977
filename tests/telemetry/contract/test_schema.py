"""The documents for machines: current, valid by the rules of their formats, and true of what is sent."""

from __future__ import annotations

import copy
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from edgeagent.telemetry.contract.commands import COMMANDS
from edgeagent.telemetry.contract.descriptions import UndescribedFieldError, field_descriptions
from edgeagent.telemetry.contract.messages import ROOT, Numbered, Status, historical
from edgeagent.telemetry.contract.schema import ASYNCAPI, SCHEMA, asyncapi, json_schema, write_contract
from edgeagent.telemetry.contract.streams import STREAMS, Stream, stream_of

DOCS = Path(__file__).parents[3] / "docs"
RULES = Path(__file__).parents[2] / "fixtures" / "asyncapi" / "3.0.0.json.gz"
EXAMPLES = [
    json.loads(text)
    for text in re.findall(r"```json\n(.*?)```", (DOCS / "mqtt.md").read_text(encoding="utf-8"), re.DOTALL)
]
MESSAGES = [stream for stream in STREAMS if stream.direction == "send" and stream.kind not in (Status, bytes)]


@pytest.mark.parametrize("name", [SCHEMA, ASYNCAPI])
def test_a_document_is_current(tmp_path: Path, name: str) -> None:
    write_contract(tmp_path)
    assert (DOCS / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8"), (
        "run python -m edgeagent.telemetry.contract.schema"
    )


def rules() -> Any:
    return jsonschema.Draft7Validator(json.loads(gzip.decompress(RULES.read_bytes())))


def test_the_asyncapi_document_obeys_the_rules_of_asyncapi_3() -> None:
    document = yaml.safe_load((DOCS / ASYNCAPI).read_text(encoding="utf-8"))
    assert document == asyncapi()
    assert [error.message for error in rules().iter_errors(document)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d["channels"]["info"].update(adress="x"),
        lambda d: d["operations"]["send-info"].update(action="publish"),
        lambda d: d["operations"]["send-info"]["bindings"]["mqtt"].update(qos=3),
        lambda d: d["components"]["schemas"]["Info"].update(type="objekt"),
    ],
)
def test_those_rules_find_mistakes(spoil: Any) -> None:
    document = copy.deepcopy(asyncapi())
    spoil(document)
    assert list(rules().iter_errors(document))


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(value) for value in part.values()))
    return set().union(*(references(value) for value in part)) if isinstance(part, list) else set()


@pytest.mark.parametrize("written", [asyncapi(), json_schema()])
def test_every_reference_leads_somewhere(written: dict[str, Any]) -> None:
    found = references(written)
    assert found
    for reference in found:
        place: Any = written
        for level in reference.removeprefix("#/").split("/"):
            place = place[level]
        assert isinstance(place, dict)


@cache
def document() -> dict[str, Any]:
    return json_schema()


@cache
def validator(stream: Stream) -> Any:
    schema = document()
    topic = f"{ROOT}/board/{stream.topic.replace('<', '').replace('>', '')}"
    (payload,) = [part for like, part in schema["patternProperties"].items() if re.search(like, topic)]
    return jsonschema.Draft202012Validator({**payload, "$defs": schema["$defs"]})


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_document_is_for_payloads_by_topic() -> None:
    schema = jsonschema.Draft202012Validator(json_schema())
    assert schema.is_valid({f"{ROOT}/board/status": "online", f"{ROOT}/board/new": 1, "elsewhere/x": 2})
    assert not schema.is_valid({f"{ROOT}/board/status": "asleep"})
    assert not schema.is_valid({f"{ROOT}/board/alarm": {"problems": []}})


def test_lists_of_values_that_the_device_sends_are_open_and_what_it_receives_is_closed() -> None:
    problem = {"code": "of_a_later_program", "text": "x", "since": "2026-01-31T12:07:31.249Z"}
    alarm = {"time": "2026-01-31T12:07:31.250Z", "problems": [problem]}
    assert validator(stream_of("alarm")).is_valid(alarm)
    assert not validator(stream_of("alarm")).is_valid({**alarm, "problems": [{**problem, "code": 7}]})
    lists = [values for values in schemas(json_schema()["$defs"]) if "enum" in values]
    assert len(lists) > 10
    assert all(
        re.fullmatch(r"/\w+/properties/.*anyOf/0", path) for path in paths(json_schema()["$defs"], "enum")
    )


@cache
def examples() -> list[tuple[Stream, Any]]:
    found = []
    for example in EXAMPLES:
        fitting = [stream for stream in MESSAGES if not list(validator(stream).iter_errors(example))]
        assert len(fitting) == 1, (example, fitting)
        found.append((fitting[0], example))
    return found


def test_every_stream_has_one_example_in_the_document_that_fits_it_alone() -> None:
    assert {stream.name for stream, _ in examples()} == {stream.name for stream in MESSAGES}


def test_what_is_not_known_is_absent_and_not_null() -> None:
    for stream, example in examples():
        optional = set(stream.kind.model_fields) - {
            name for name, field in stream.kind.model_fields.items() if field.is_required()
        }
        for name in optional & set(example):
            without = {key: value for key, value in example.items() if key != name}
            assert not list(validator(stream).iter_errors(without))
            assert list(validator(stream).iter_errors({**example, name: None}))


def test_a_message_that_comes_late_says_so_in_a_valid_way() -> None:
    marked = 0
    for stream, example in examples():
        if "historical" in stream.kind.model_fields:
            late = json.loads(historical(json.dumps(example).encode()))
            assert late == {**example, "historical": True}
            assert not list(validator(stream).iter_errors(late))
            assert list(validator(stream).iter_errors({**example, "historical": False}))
            marked += 1
    assert marked == 4


def test_what_waits_can_say_so() -> None:
    for stream in MESSAGES:
        assert ("historical" in stream.kind.model_fields) == (stream.qos == 1 and not stream.retained)
    assert {s.name for s in MESSAGES if issubclass(s.kind, Numbered)} == {"telemetry", "events", "objects"}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_document_are_valid(command: str) -> None:
    text = (DOCS / "mqtt.md").read_text(encoding="utf-8")
    (example,) = re.findall(rf"""-m '(\{{.*"command": "{command}".*\}})'$""", text, re.MULTILINE)
    message = json.loads(example)
    assert not list(validator(stream_of("cmd")).iter_errors(message))
    assert list(validator(stream_of("cmd")).iter_errors({**message, "command": "reboot"}))


TYPES = {
    "object": {
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "maxProperties",
    },
    "array": {"items", "minItems", "maxItems"},
    "string": {"pattern", "minLength", "maxLength", "contentMediaType"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
}
KEYWORDS = {"$schema", "$id", "$ref", "$defs", "title", "description", "type", "enum", "const"}
COMBINING = {"anyOf", "oneOf", "allOf"}


def schemas(part: Any) -> list[dict[str, Any]]:
    """All schemas in a map of names to schemas, those inside of others included."""
    found: list[dict[str, Any]] = []
    for schema in part.values():
        found.append(schema)
        for keyword in ("properties", "patternProperties"):
            found += schemas(schema.get(keyword, {}))
        for keyword in ("items", "additionalProperties"):
            if isinstance(schema.get(keyword), dict):
                found += schemas({keyword: schema[keyword]})
        for keyword in COMBINING & schema.keys():
            found += schemas(dict(enumerate(schema[keyword])))
    return found


def paths(part: Any, keyword: str, path: str = "") -> list[str]:
    """Places of the schemas that have a keyword."""
    parts = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    own = [path] if isinstance(part, dict) and isinstance(part.get(keyword), list) else []
    return own + [place for name, value in parts for place in paths(value, keyword, f"{path}/{name}")]


def complaints(schema: dict[str, Any]) -> list[str]:
    """What the strict mode of AJV 8 complains about, as far as pydantic makes such things."""
    known = KEYWORDS | COMBINING | set().union(*TYPES.values())
    found = [f"unknown keyword {keyword}" for keyword in schema.keys() - known]
    kind = "number" if schema.get("type") == "integer" else schema.get("type")
    if isinstance(kind, list):
        found.append("union of types")
    for name, keywords in TYPES.items():
        if keywords & schema.keys() and kind != name:
            found.append(f"{sorted(keywords & schema.keys())} without type {name}")
    if {"enum", "const"} & schema.keys() and kind is None:
        found.append("values without a type")
    undefined = set(schema.get("required", ())) - schema.get("properties", {}).keys()
    if undefined:
        found.append(f"required and not defined: {sorted(undefined)}")
    return found


@pytest.mark.parametrize("document", [json_schema(), asyncapi()["components"]])
def test_nothing_in_the_schemas_is_against_strict_rules(document: dict[str, Any]) -> None:
    types = document.get("$defs") or document["schemas"]
    payloads = [document] if "$defs" in document else []
    payloads += [message["payload"] for message in document.get("messages", {}).values()]
    every = schemas({**types, **dict(enumerate(payloads))})
    assert len(every) > 200
    assert [(schema, found) for schema in every if (found := complaints(schema))] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"x-topics": {}},
        {"properties": {"a": {"type": "string"}}},
        {"type": "object", "required": ["a"]},
        {"type": "string", "format": "binary"},
        {"type": ["string", "null"]},
        {"type": "string", "minimum": 1},
        {"enum": ["a"]},
    ],
)
def test_those_rules_complain(schema: dict[str, Any]) -> None:
    assert complaints(schema)


@pytest.mark.parametrize("types", [json_schema()["$defs"], asyncapi()["components"]["schemas"]])
def test_every_type_and_every_property_is_described(types: dict[str, Any]) -> None:
    undescribed = [name for name, schema in types.items() if not schema.get("description")]
    for name, schema in types.items():
        for field, part in schema["properties"].items():
            if len(part.get("description", "")) < 3:
                undescribed.append(f"{name}.{field}")
    assert undescribed == []


def test_a_field_without_a_row_in_the_document_is_named() -> None:
    text = (DOCS / "mqtt.md").read_text(encoding="utf-8")
    without = re.sub(r"^\| `throttled.now` .*\n", "", text, flags=re.MULTILINE)
    assert without != text
    with pytest.raises(UndescribedFieldError, match=r"telemetry: system\.throttled\.now$"):
        field_descriptions(without)


def test_descriptions_are_those_of_the_document() -> None:
    found = field_descriptions((DOCS / "mqtt.md").read_text(encoding="utf-8"))
    assert found["StageReport"]["count"] == "samples in the interval"
    assert found["SpoolReport"]["state"].startswith("`disk`, or `memory`")
    assert found["CameraReport"]["state"].startswith("`opening` (never had a frame)")
    assert found["Event"]["run"] == found["Telemetry"]["run"]  # "as in `telemetry`"
    assert found["Reply"]["request_id"].startswith("of the command or feedback")
    assert found["Pin"]["request_id"].startswith("1 to 64 letters")
    assert found["Alarm"]["problems"].startswith("Problem of the device")


def test_a_topic_leads_to_its_stream() -> None:
    assert stream_of("telemetry").topic == "telemetry"
    assert stream_of("events/camera").parameter == "kind"
    with pytest.raises(KeyError):
        stream_of("nonsense/x")
