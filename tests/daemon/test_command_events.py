"""Commands as events: each request once, with who sent it and what became of it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgeagent.daemon.command_events import record_command
from edgeagent.delivery.update.answered_commands import ANSWERED
from edgeagent.delivery.update.commands import Commands
from edgeagent.errors import DeliveryError
from edgeagent.telemetry.event_log import EventLog
from tests.delivery.obedient import Obedient


class Told:
    """Commands whose events are collected."""

    def __init__(self, file: Path | None = None, target: Any = None) -> None:
        self.events: list[dict[str, Any]] = []
        log = EventLog(1, lambda topic, payload: self.events.append(json.loads(payload)))
        self._commands = Commands(target or Obedient(), file, partial(record_command, log))

    def send(self, command: str, **more: str) -> None:
        self._commands.answer(json.dumps({"request_id": "7f3a", "command": command, **more}).encode())


def test_a_command_is_an_event_once(tmp_path: Path) -> None:
    told = Told(tmp_path / ANSWERED)
    for _ in range(2):
        told.send("pin", name="coco", version="1.1.0", by="anna")
    Told(tmp_path / ANSWERED).send("pin", name="coco", version="1.1.0", by="anna")
    (event,) = told.events
    assert event["kind"] == "command"
    assert event["text"].startswith("pin coco 1.1.0, by anna: ")
    assert event["data"] == {
        "command": "pin",
        "request_id": "7f3a",
        "ok": True,
        "name": "coco",
        "version": "1.1.0",
        "by": "anna",
        "result": event["data"]["result"],
    }


def test_a_refusal_has_its_reason() -> None:
    class Refusing(Obedient):
        def rollback(self) -> str:
            raise DeliveryError("there is no model before")

    told = Told(target=Refusing())
    told.send("rollback")
    (event,) = told.events
    assert event["data"] == {
        "command": "rollback",
        "request_id": "7f3a",
        "ok": False,
        "error": "there is no model before",
    }


@pytest.mark.parametrize("command", ["check_now", "status"])
def test_a_command_that_changes_nothing_is_no_event(command: str) -> None:
    told = Told()
    told.send(command)
    assert told.events == []


@pytest.mark.parametrize("by", ["", "x" * 101, "a\nb"])
def test_who_sent_it_is_one_short_line(by: str) -> None:
    told = Told()
    told.send("rollback", by=by)
    assert told.events == []
