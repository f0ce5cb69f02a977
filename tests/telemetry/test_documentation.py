"""docs/mqtt.md says what is published: its examples validate, and every field is explained."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from edgeagent.pipeline import STAGES
from edgeagent.telemetry.messages import (
    ROOT,
    Alarm,
    CameraReport,
    DetectionsMessage,
    Info,
    Message,
    PowerReport,
    Status,
    Telemetry,
)
from edgeagent.telemetry.percentiles import MINIMUM_COUNT

TEXT = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
KINDS: tuple[type[Message], ...] = (Alarm, Info, Telemetry, DetectionsMessage)


@pytest.mark.parametrize(("kind", "example"), list(zip(KINDS, EXAMPLES, strict=True)))
def test_an_example_is_what_would_be_sent(kind: type[Message], example: object) -> None:
    message = kind.model_validate_json(json.dumps(example), strict=True)
    assert json.loads(message.payload()) == example


def fields(kind: type[BaseModel]) -> set[str]:
    """Names of all fields of a message and of the sections in it."""
    found = set()
    for name, info in kind.model_fields.items():
        found.add(name)
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= fields(part)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_explained(kind: type[Message]) -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith(("|", "Stages")))
    explained = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`([^`]*)`", rows))))
    missing = {name for name in fields(kind) if name not in explained}
    assert not missing


def optional_fields(kind: type[BaseModel]) -> set[str]:
    """Names of all fields that may be absent, in a message and the sections in it."""
    found = set()
    for name, info in kind.model_fields.items():
        if not info.is_required():
            found.add(name)
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= optional_fields(part)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_may_be_absent_is_marked_and_nothing_else(kind: type[Message]) -> None:
    marked: set[str] = set()
    unmarked: set[str] = set()
    for names, about in re.findall(r"^\| (`[^|]*`) \| ([^|]+) \| [^|]* \|$", TEXT, re.MULTILINE):
        # the last part of a name: `engine.load_s`, `cameras[].name`
        last = {re.split(r"[.\]]", name)[-1] for name in re.findall(r"`([^`]*)`", names)} & fields(kind)
        (marked if "may be absent" in about else unmarked).update(last)
    assert marked == optional_fields(kind)
    assert not marked & unmarked


def test_stages_states_and_minimum_counts_are_those_of_the_program() -> None:
    for stage in STAGES:
        assert f"| `{stage}` |" in TEXT
    for status in get_args(Status):
        assert f"| `{status}` |" in TEXT
    for state in get_args(CameraReport.model_fields["state"].annotation):
        assert f"`{state}`" in TEXT
    for quality in get_args(PowerReport.model_fields["quality"].annotation):
        assert f"`{quality}`" in TEXT
    counts = ", ".join(f"{name} from {count}" for name, count in MINIMUM_COUNT.items())
    assert counts in TEXT


def test_the_percentiles_of_the_examples_have_enough_samples() -> None:
    stages = EXAMPLES[KINDS.index(Telemetry)]["cameras"]["yard"]["stages"]
    for stage, (name, least) in itertools.product(stages.values(), MINIMUM_COUNT.items()):
        assert (f"{name}_ms" in stage) == (stage["count"] >= least)


def test_the_topics_are_those_of_the_program() -> None:
    assert f"`{ROOT}/<device>/`" in TEXT
    topics = set(re.findall(rf"-t '({ROOT}/[^']*)'", TEXT))
    assert topics
    for topic in topics:
        levels = topic.removeprefix(ROOT + "/").split("/")
        assert levels == ["#"] or levels[1] in ("status", "info", "telemetry", "detections")
