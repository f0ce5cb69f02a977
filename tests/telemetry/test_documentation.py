"""docs/mqtt.md says what is published: its examples validate, and every field is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from edgeagent.pipeline import STAGES
from edgeagent.telemetry.messages import DetectionsMessage, Info, Message, Status, Telemetry
from edgeagent.telemetry.percentiles import MINIMUM_COUNT

TEXT = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
KINDS: tuple[type[Message], ...] = (Info, Telemetry, DetectionsMessage)


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


def test_stages_states_and_minimum_counts_are_those_of_the_program() -> None:
    for stage in STAGES:
        assert f"| `{stage}` |" in TEXT
    for status in get_args(Status):
        assert f"| `{status}` |" in TEXT
    counts = ", ".join(f"{name} from {count}" for name, count in MINIMUM_COUNT.items())
    assert counts in TEXT
