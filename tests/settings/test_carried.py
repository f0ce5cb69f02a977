"""Keys that a signed configuration carries, and the check of a partial configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from edgeagent.errors import ConfigurationError
from edgeagent.files.strict_yaml import Document
from edgeagent.settings.carried import NEVER, forbidden
from edgeagent.settings.examination import parse_document
from edgeagent.settings.keys import key_paths, section_at, section_in
from edgeagent.settings.partial import check_partial
from edgeagent.settings.schema import Settings


def carried() -> list[str]:
    return [
        path
        for path in key_paths(Settings)
        if not any(path == never or path.startswith(f"{never}.") for never in NEVER)
    ]


def value_types(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation}.union(*map(value_types, inner)) if inner else {annotation}


def test_the_table_names_keys_that_exist() -> None:
    assert set(NEVER) <= set(key_paths(Settings))


def test_a_key_that_holds_a_path_is_never_carried() -> None:
    for path in carried():
        *above, key = path.split(".")
        section: type[BaseModel] = section_at(tuple(above))
        if section_in(section.model_fields[key].annotation) is None:
            assert Path not in value_types(section.model_fields[key].annotation), path


def test_no_key_that_may_be_carried_looks_like_a_secret() -> None:
    for path in carried():
        data: Any = 1
        for step in reversed(path.split(".")):
            data = {step: data}
        assert [reason for _, reason in forbidden(data) if "secret" in reason] == [], path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("device: gate\n", "fleet.yaml:1: device: stays in the file of the board: it names one board"),
        ("telemetry:\n  interval: 5s\nstate: /s\n", "fleet.yaml:3: state: stays in the file of the board"),
        ("mqtt:\n  password: hunter2\n", "fleet.yaml:2: mqtt.password: a secret never travels"),
        ("mqtt:\n  password_file: /etc/p\n", "mqtt.password_file: stays in the file of the board"),
        ("mqtt:\n  tls:\n    key: /k\n", "fleet.yaml:2: mqtt.tls: stays in the file of the board"),
        (
            "cameras:\n  - name: yard\n    source: rtsp://me:hunter2@cam/1\n",
            "fleet.yaml:3: cameras[0].source: holds a credential",
        ),
        (
            "cameras:\n  - name: yard\n    source: 'gstreamer: filesrc location=/x ! fakesink'\n",
            "cameras[0].source: a pipeline runs programs of the board",
        ),
        (
            "actions:\n  commands: true\n",
            "fleet.yaml:1: actions: stays in the file of the board: it calls servers",
        ),
        ("otlp:\n  interval: 5s\n", "fleet.yaml:1: otlp: stays in the file of the board: it sends readings"),
        ("clips:\n  folder: /etc\n", "fleet.yaml:2: clips.folder: stays in the file of the board"),
        ("delivery:\n  repository: https://else\n", "delivery.repository: stays in the file of the board"),
        ("delivery:\n", "delivery: expected a section of keys"),
        ("delivery:\n  check_every: 30d\n", "fleet.yaml:2: delivery.check_every: expected 7d at most"),
        (
            "telemetry:\n  intervall: 5s\n",
            "fleet.yaml:2: telemetry.intervall: unknown key; did you mean interval?",
        ),
        ("telemetry:\n  interval: 5\n", "telemetry.interval: expected a duration with a unit"),
        ("cameras:\n  - fps: 5\n", "cameras[0].name: required, but missing"),
        ("cameras: yard\n", "cameras: expected a list"),
        ("model:\n  score_threshold: 2\n", "model.score_threshold: expected less than or equal to 1"),
        ("- telemetry\n", "fleet.yaml: expected keys of the configuration"),
    ],
)
def test_what_is_refused_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check_partial(parse_document(text.encode(), "fleet.yaml"), "fleet.yaml")
    assert words in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_does_not_travel_and_what_is_unknown_are_told_at_once() -> None:
    text = (
        "device: gate\n"
        "mqtt: {password_file: [hunter2], keepalive: 5}\n"
        "telemetry: {intervall: 5s}\n"
        "cameras:\n  - {name: yard, source: 'rtsp://me:hunter2@cam/1', fpss: 1}\n"
        "delivery: {labels: [pilot, 'https://me:hunter2@host/'], check_every: 30d}\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        check_partial(parse_document(text.encode(), "fleet.yaml"), "fleet.yaml")
    told = [line.partition(": ")[2].partition(" ")[0] for line in str(refused.value).splitlines()]
    assert told == [
        "device:",
        "mqtt.keepalive:",
        "mqtt.password_file:",
        "telemetry.intervall:",
        "cameras[0].fpss:",
        "cameras[0].source:",
        "delivery.labels[1]:",
    ]
    assert "hunter2" not in str(refused.value)


def test_part_of_a_configuration_is_enough() -> None:
    text = b"home_assistant: {}\ncameras:\n  - name: yard\n    fps: 5.0\ndelivery:\n  labels: [pilot]\n"
    data = check_partial(parse_document(text, "fleet.yaml"), "fleet.yaml")
    assert data == {
        "home_assistant": {},
        "cameras": [{"name": "yard", "fps": 5.0}],
        "delivery": {"labels": ["pilot"]},
    }


def test_without_lines_the_key_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^configuration 3: telemetry\.later: unknown key"):
        check_partial(Document({"telemetry": {"later": 1}}), "configuration 3")
