"""The documents for machines: current, valid by the rules of their formats, and true of what is sent."""

from __future__ import annotations

import copy
import gzip
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from edgeagent.telemetry.contract.commands import COMMANDS
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


@pytest.mark.parametrize("document", [asyncapi(), json_schema()])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        place: Any = document
        for level in reference.removeprefix("#/").split("/"):
            place = place[level]
        assert isinstance(place, dict)


def validator(stream: Stream) -> Any:
    schema = json_schema()
    topic = f"{ROOT}/<device>/{stream.topic}"
    return jsonschema.Draft202012Validator({**schema["x-topics"][topic], "$defs": schema["$defs"]})


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


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
    assert marked == 3


def test_what_waits_can_say_so() -> None:
    for stream in MESSAGES:
        assert ("historical" in stream.kind.model_fields) == (stream.qos == 1 and not stream.retained)
    assert {s.name for s in MESSAGES if issubclass(s.kind, Numbered)} == {"telemetry", "events"}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_document_are_valid(command: str) -> None:
    text = (DOCS / "mqtt.md").read_text(encoding="utf-8")
    (example,) = re.findall(rf"""-m '(\{{.*"command": "{command}".*\}})'$""", text, re.MULTILINE)
    message = json.loads(example)
    assert not list(validator(stream_of("cmd")).iter_errors(message))
    assert list(validator(stream_of("cmd")).iter_errors({**message, "command": "reboot"}))


def test_a_topic_leads_to_its_stream() -> None:
    assert stream_of("telemetry").topic == "telemetry"
    assert stream_of("events/camera").parameter == "kind"
    with pytest.raises(KeyError):
        stream_of("nonsense/x")
