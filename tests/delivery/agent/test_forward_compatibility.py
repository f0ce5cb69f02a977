"""State of a newer version is readable by this one: what it does not know is left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter

from edgeagent.accuracy import drift_file
from edgeagent.daemon import agent_update, update_events
from edgeagent.delivery.state.check_report import CheckReport
from edgeagent.delivery.state.known_good_models import KnownGoodModel
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.slots import Seal
from edgeagent.delivery.trial.gate_report import GateReport
from edgeagent.delivery.update import answered_commands
from edgeagent.delivery.update.answered_commands import AnsweredCommands
from edgeagent.detection.journal import JournalEntry
from edgeagent.files.state_json import parse_json
from edgeagent.telemetry.contract.commands import CheckNow, CommandMessage, CommandReply, Rollback
from edgeagent.telemetry.home_assistant import announcer

STATE: tuple[Any, ...] = (
    Record,
    CheckReport,
    Seal,
    KnownGoodModel,
    GateReport,
    JournalEntry,
    answered_commands._File,
    drift_file._File,
    announcer._Announced,
    update_events._Reported,
    agent_update._ReportedEnd,
)
"""Types of all JSON files in the state folder."""


def parts(kind: Any) -> Iterator[Any]:
    """Yield a type of a file, and those of its fields."""
    if isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)):
        yield kind
        fields = (
            [field.annotation for field in kind.model_fields.values()]
            if issubclass(kind, BaseModel)
            else [value for value in kind.__annotations__.values() if not isinstance(value, str)]
        )
        for field in fields:
            yield from parts(field)
    else:
        for argument in get_args(kind):
            yield from parts(argument)


@pytest.mark.parametrize("kind", STATE, ids=lambda kind: kind.__name__)
def test_no_file_of_the_state_forbids_unknown_fields(kind: Any) -> None:
    found = list(parts(kind))
    assert found
    for part in found:
        if issubclass(part, CommandMessage):
            continue  # such an entry is left out as a whole
        extra = TypeAdapter(part).core_schema
        assert "forbid" not in str(extra.get("config", {})), part
        assert getattr(part, "model_config", {}).get("extra") != "forbid", part


def test_a_record_with_later_fields_is_read() -> None:
    text = json.dumps({**Record().model_dump(), "later": {"a": 1}})
    assert parse_json(text, Record) == Record()


def test_a_command_that_only_a_newer_version_knows_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "commands.json"
    known = AnsweredCommands(file)
    rollback = Rollback(request_id="a", command="rollback")
    known.begin(rollback)
    known.end(rollback, CommandReply("a", True, "done"))
    data = json.loads(file.read_text())
    data["commands"].append({"command": {"request_id": "b", "command": "later"}, "ok": True, "text": "x"})
    file.write_text(json.dumps(data))
    again = AnsweredCommands(file)
    assert again.find("a") is not None
    assert again.find("b") is None
    again.begin(CheckNow(request_id="c", command="check_now"))
