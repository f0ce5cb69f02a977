from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgeagent.launcher.record import (
    GOOD,
    RECORD,
    AgentRecord,
    AgentTrial,
    AgentVersion,
    DamagedAgentRecordError,
    change_agent_record,
    known_good,
    mark_good,
    read_agent_record,
    write_agent_record,
)

VERSION = AgentVersion("0.2.0-a", "0.2.0", 1)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = AgentRecord(current=VERSION, trial=AgentTrial("0.3.0-b", "0.3.0", 2, starts=1), starts=2)
    record = replace(record.without(AgentVersion("0.4.0-c", "0.4.0"), "rejected", "why", "now"))
    record = replace(record, verified=(("0.2.0-a", "boot"),))
    write_agent_record(tmp_path, record)
    assert read_agent_record(tmp_path) == record


def test_fields_of_newer_versions_are_kept(tmp_path: Path) -> None:
    write_agent_record(tmp_path, AgentRecord(current=VERSION))
    data = json.loads((tmp_path / RECORD).read_text())
    data["later"] = {"a": 1}
    data["current"]["more"] = 2
    (tmp_path / RECORD).write_text(json.dumps(data))
    change_agent_record(tmp_path, lambda record: replace(record, starts=4))
    assert json.loads((tmp_path / RECORD).read_text())["later"] == {"a": 1}
    assert read_agent_record(tmp_path).current == VERSION


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"current": 1}',
        b'{"current": {"slot": "../x", "version": "1.0.0"}}',
        b'{"trial": {"slot": "a", "version": "x"}}',
        b'{"bad": 3}',
        b'{"verified": []}',
        b'{"schema_version": 2}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_damaged_record_is_a_typed_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(DamagedAgentRecordError):
        read_agent_record(tmp_path)


def test_the_good_versions_are_known_without_the_record_but_no_bad_one(tmp_path: Path) -> None:
    newer = AgentVersion("0.10.0-b", "0.10.0", 2)
    for version in (VERSION, newer):
        mark_good(tmp_path, version)
    (tmp_path / GOOD / "damaged.json").write_text("{")
    assert known_good(tmp_path) == [newer, VERSION]
    change_agent_record(tmp_path, lambda record: record.without(newer, "rolled_back", "why", "now"))
    assert known_good(tmp_path) == [VERSION]
