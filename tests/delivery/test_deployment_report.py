"""What is said of models that come and go."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from edgeagent.daemon.alarms import Alarms
from edgeagent.delivery.deployment_report import build_deployment, build_update, problem
from edgeagent.delivery.state.record import FINAL_STATES, Record
from edgeagent.detection.serving_state import Change
from edgeagent.files.naming import shortened
from edgeagent.telemetry.contract.deployment import GateSummary, State, UpdateMessage
from tests.delivery.releases import NOON_TEXT, bad, channel, deployment, installed, record, release

CONFIGURED = ("coco-nano", "1.0.0")


def sent(*args: Any, **more: Any) -> Any:
    """What a consumer reads, the time apart."""
    message = json.loads(build_deployment(*args, **more).payload())
    assert message.pop("time").endswith("Z")
    return message


def coming(state: State, **changes: Any) -> Record:
    return record(release(2), deployment=deployment(release(3), state, **changes))


def test_before_the_first_update_nothing_is_known() -> None:
    assert sent(Record(), None) == {"state": "idle", "bad": []}


def test_an_update_on_its_way() -> None:
    remembered = record(
        release(2),
        previous=installed(release(1)),
        deployment=deployment(release(3), "fetching", source="command"),
        bad=(bad(release(4)),),
        pinned="coco-nano 1.3.0",
    )
    offered = channel(release(2), release(3))
    assert sent(remembered, offered, boot_id="b", progress=0.4151, waiting="no network") == {
        "boot_id": "b",
        "state": "fetching",
        "name": "coco-nano",
        "version": "1.3.0",
        "sequence": 3,
        "progress_percent": 41.5,
        "since": NOON_TEXT,
        "source": "command",
        "rollout": "r1",
        "waiting": "no network",
        "current": {"name": "coco-nano", "version": "1.2.0", "sequence": 2},
        "previous": {"name": "coco-nano", "version": "1.1.0", "sequence": 1},
        "pinned": "coco-nano 1.3.0",
        "bad": [{"model": "coco-nano 1.4.0", "reason": "mAP 0.21 is below 0.30", "since": NOON_TEXT}],
    }


@pytest.mark.parametrize("state", get_args(State))
def test_every_state_can_be_said(state: State) -> None:
    assert sent(coming(state), None)["state"] == state


def test_the_rollout_is_that_of_the_very_content() -> None:
    other = release(3, manifest_sha256="0" * 64)
    assert "rollout" not in sent(coming("trial"), channel(other))
    assert "rollout" not in sent(coming("trial"), None)


@pytest.mark.parametrize(
    ("progress", "percent"), [(0.0, 0.0), (1.0, 100.0), (1.2, 100.0), (1 / 3, 33.3), (None, None)]
)
def test_progress_is_a_percentage_or_absent(progress: float | None, percent: float | None) -> None:
    assert sent(coming("fetching"), None, progress=progress).get("progress_percent") == percent


def test_the_gate_says_what_it_measured() -> None:
    gate = GateSummary(p90_ms=31.5, notes=("mAP was not measured: no labels",))
    assert sent(coming("trial"), None, gate=gate)["gate"] == {
        "p90_ms": 31.5,
        "notes": ["mAP was not measured: no labels"],
    }


def update(*args: Any, **more: Any) -> Any:
    return json.loads(build_update(*args, **more).payload())


def test_without_news_the_installed_version_is_the_latest() -> None:
    assert update(Record(), CONFIGURED) == {
        "installed_version": "1.0.0",
        "latest_version": "1.0.0",
        "title": "coco-nano",
        "in_progress": False,
        "update_percentage": None,
    }
    assert update(record(release(2)), CONFIGURED)["installed_version"] == "1.2.0"


@pytest.mark.parametrize("state", get_args(State))
def test_a_model_on_its_way_is_the_latest_until_it_ends(state: State) -> None:
    message = update(coming(state), CONFIGURED, progress=0.5)
    on_its_way = state not in FINAL_STATES
    assert message["in_progress"] is on_its_way
    assert message["latest_version"] == ("1.3.0" if on_its_way else "1.2.0")
    assert message["update_percentage"] == (50.0 if on_its_way else None)


def test_what_waits_is_offered_and_not_in_progress() -> None:
    message = update(coming("staged"), CONFIGURED, waiting="serves from 01:00 to 05:00; here it is 12:00")
    assert (message["latest_version"], message["in_progress"]) == ("1.3.0", False)
    assert message["release_summary"] == "serves from 01:00 to 05:00; here it is 12:00"
    assert update(record(release(2)), CONFIGURED, target=release(3))["latest_version"] == "1.3.0"


def test_a_failure_is_said_before_what_is_waited_for() -> None:
    message = update(
        coming("rejected", reason="too slow"), CONFIGURED, waiting="coco-nano 1.2.0 is the newest"
    )
    assert message["release_summary"] == "coco-nano 1.3.0 was rejected: too slow"


def test_other_names_stand_beside_the_versions() -> None:
    message = update(record(release(2)), CONFIGURED, target=release(3, name="coco-small"))
    assert (message["installed_version"], message["latest_version"], message["title"]) == (
        "coco-nano 1.2.0",
        "coco-small 1.3.0",
        "coco-small",
    )


def test_a_percentage_that_is_over_is_sent_as_null() -> None:
    """Home Assistant keeps the last one otherwise."""
    message = build_update(coming("gating"), CONFIGURED)
    assert b'"update_percentage": null' in message.payload()
    assert UpdateMessage.model_validate_json(message.payload()) == message


def test_a_summary_is_as_long_as_home_assistant_takes() -> None:
    message = update(coming("rejected", reason="x" * 400), CONFIGURED)
    assert len(message["release_summary"]) == 255
    assert message["release_summary"].startswith("coco-nano 1.3.0 was rejected: xxx")
    assert message["release_summary"].endswith("x...")
    assert (shortened("abcdef", 6), shortened("abcdefg", 6)) == ("abcdef", "abc...")


@pytest.mark.parametrize(
    "state", [state for state in get_args(State) if state not in ("rejected", "rolled_back")]
)
def test_no_problem(state: State) -> None:
    assert problem(coming(state)) is None


def test_a_failed_update_is_a_problem() -> None:
    assert problem(Record()) is None
    assert problem(coming("rejected", reason="too slow")) == (
        "update_rejected",
        "coco-nano 1.3.0 was rejected: too slow",
        NOON_TEXT,
    )
    assert problem(coming("rolled_back", reason="3 crashes")) == (
        "rolled_back",
        "coco-nano 1.3.0 was rolled back: 3 crashes",
        NOON_TEXT,
    )


def codes(alarms: Alarms) -> list[str]:
    return [problem.code for problem in alarms.message("x").problems]


def test_problems_of_one_part_leave_those_of_another() -> None:
    alarms = Alarms()
    alarms.update_deployment(coming("rolled_back", reason="3 crashes"))
    alarms.update_serving(Change(None, False, "no delegate works"))
    assert codes(alarms) == ["rolled_back", "not_detecting"]
    alarms.update_serving(Change("onnxruntime-cpu model.onnx", False, "pulled out"))
    assert codes(alarms) == ["rolled_back", "fallback_delegate"]
    alarms.update_serving(Change("onnxruntime-cpu model.onnx", True, "back"))
    assert codes(alarms) == ["rolled_back"]
    alarms.update_deployment(coming("fetching"))
    assert codes(alarms) == []


def test_a_problem_begins_when_the_update_failed_also_after_a_restart() -> None:
    alarms = Alarms()
    alarms.update_deployment(coming("rejected", reason="too slow"))
    (found,) = alarms.message(None).problems
    assert (found.text, found.since) == ("coco-nano 1.3.0 was rejected: too slow", NOON_TEXT)
