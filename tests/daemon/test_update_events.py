"""Each end of a deployment is one event, over kills and starts of the agent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.daemon.update_events import REPORTED, UpdateEvents
from edgeagent.delivery.state.record import Deployment, Installed, Record
from edgeagent.telemetry.contract.deployment import State
from edgeagent.telemetry.event_log import EventLog


def record(state: State, reason: str | None = None, since: str = "2026-01-31T12:00:00.000Z") -> Record:
    model = Installed(slot="coco-1.1.0-abc", name="coco", version="1.1.0", sequence=3)
    return Record(deployment=Deployment(model=model, state=state, reason=reason, since=since))


class Run:
    """One start of the agent with this state folder."""

    def __init__(self, folder: Path, found: Record) -> None:
        self.events: list[dict[str, object]] = []
        events = EventLog(1, lambda topic, payload: self.events.append(json.loads(payload)))
        self.updates = UpdateEvents(folder, events)
        self.updates.check(found)


def test_rejected_and_rolled_back_and_good_are_told_once(tmp_path: Path) -> None:
    run = Run(tmp_path, Record())
    for state in ("fetching", "fetching", "rejected", "rejected"):
        run.updates.check(record(state, "wrong outputs" if state == "rejected" else None))
    (event,) = run.events
    assert (event["kind"], event["text"]) == ("update", "coco 1.1.0 was rejected: wrong outputs")
    assert event["data"] == {
        "state": "rejected",
        "name": "coco",
        "version": "1.1.0",
        "sequence": 3,
        "source": "channel",
        "reason": "wrong outputs",
    }
    assert not Run(tmp_path, record("rejected", "wrong outputs")).events
    run.updates.check(record("good", since="2026-02-01T12:00:00.000Z"))
    assert [e["data"]["state"] for e in run.events] == ["rejected", "good"]  # type: ignore[index]


def test_a_model_that_the_start_has_rolled_back_is_told(tmp_path: Path) -> None:
    Run(tmp_path, Record()).updates.check(record("trial"))
    (event,) = Run(tmp_path, record("rolled_back", "3 times its engine failed")).events
    assert event["text"] == "coco 1.1.0 was rolled back: 3 times its engine failed"


def test_the_first_start_with_an_older_end_tells_nothing(tmp_path: Path) -> None:
    assert not Run(tmp_path, record("rejected", "old")).events
    assert not Run(tmp_path, record("rejected", "old")).events


def test_a_damaged_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / REPORTED).write_bytes(b"[")
    assert not Run(tmp_path, record("good")).events
    assert f"{REPORTED}: cannot be read" in caplog.text
    assert json.loads((tmp_path / REPORTED).read_bytes())["state"] == "good"
