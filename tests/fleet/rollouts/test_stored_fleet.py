"""Conditions of rollouts by a store with two groups of devices in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edgeagent.fleet.rollouts.stored_fleet import StoreJudge
from edgeagent.fleet.store.protocol import FleetStore, QueryResult, Row, StoreError
from edgeagent.publisher.condition import ConditionResult, parse_condition
from edgeagent.publisher.rollout_steps import Plan, RolloutKind
from edgeagent.timing.histogram import bucket_of

pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")

NOW = datetime.now(timezone.utc).replace(minute=30, second=0, microsecond=0)
MODEL = {"bundle": "tiny", "artefact": "model.onnx", "delegate": "onnxruntime-cpu"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetStore]:
    from edgeagent.fleet.store.opening import open_fleet_store

    opened = open_fleet_store(str(tmp_path_factory.mktemp("store")))
    for version, count, frame_ms, joules in (("1.1.0", 6, 26.0, 0.3), ("1.0.0", 12, 20.0, 0.2)):
        for number in range(count):
            add(opened, f"{version}-{number}", version, frame_ms + number % 3, joules)
    add(opened, "other", "1.1.0", 90.0, 9.0, tenant="elsewhere")
    yield opened
    opened.close()


def add(store: FleetStore, name: str, version: str, frame_ms: float, joules: float, tenant: str = "") -> None:
    """Add a device, with an hour before the step in which it was slow, and one after."""
    device = {"tenant": tenant, "device": name}
    row: dict[str, Any] = {
        **device,
        "updated": NOW,
        "board": "Raspberry Pi 5",
        "status": "online",
        "bundle": "tiny",
        "bundle_version": version,
        "alarm_time": NOW,
        "problem_codes": ["throttled"] if version == "1.1.0" else [],
        "recent_agreement": 0.9,
    }
    if version == "1.1.0":
        row |= {"deployment_name": "tiny", "deployment_version": version, "deployment_state": "good"}
    store.insert("devices", [row])
    served = {**device, **MODEL, "bundle_version": version, "computed": NOW}
    for at, shown_ms in ((NOW - timedelta(hours=3), 500.0), (NOW, frame_ms)):
        hour = at.replace(minute=0)
        buckets = {bucket_of(shown_ms): 700}
        store.insert("latency_hour", [{**served, "at": hour, "stage": "end_to_end", "buckets": buckets}])
    used = {"inference_used_j": 100 * joules + 5, "inference_idle_j": 5.0, "inferences": 100, "messages": 1}
    store.insert("system_hour", [{**served, "at": NOW.replace(minute=0), **used}])


def judged(store: FleetStore, condition: str, tenant: str = "", since: datetime = NOW) -> ConditionResult:
    plan = Plan(channel="stable", name="tiny", version="1.1.0", percents=(5, 100), every_s=3600, since=since)
    return StoreJudge(store, tenant).judge(parse_condition(condition), plan)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("p99>control+10%", True),
        ("p99>control+50%", False),
        ("p50>control+3ms", True),
        ("joules>control+10%", True),
        ("joules>control+60%", False),
        ("alarm_rate>control+50%", True),
        ("agreement<control-1%", False),
        ("rollback_rate>2%", False),
        ("p99>25ms and p99>control+10%", True),
    ],
)
def test_groups_are_compared(store: FleetStore, condition: str, holds: bool) -> None:
    assert judged(store, condition).holds is holds


def test_numbers_are_those_of_both_groups(store: FleetStore) -> None:
    numbers = judged(store, "p99>control+10%").numbers
    assert "of 6 devices" in numbers
    assert "of 12 control devices" in numbers


def test_only_hours_since_the_step_count(store: FleetStore) -> None:
    assert "unknown" in judged(store, "p99>10ms", since=NOW + timedelta(hours=2)).numbers
    slow = judged(store, "p99>400ms", since=NOW - timedelta(hours=4))
    assert slow.holds is True


def test_other_tenants_do_not_count(store: FleetStore) -> None:
    assert "1 devices" in judged(store, "p50>10ms", tenant="elsewhere").numbers
    assert "of 7 devices" in judged(store, "p50>10ms", tenant="*").numbers


def test_names_are_bound_and_not_part_of_the_statement(store: FleetStore, tmp_path: Path) -> None:
    assert judged(store, "p50>10ms", tenant="' OR 1=1 --").holds is None


@pytest.mark.parametrize("kind", ["agent", "configuration"])
def test_what_the_store_does_not_keep_is_said(store: FleetStore, kind: RolloutKind) -> None:
    plan = Plan(
        channel="stable", name=kind, version="1.1.0", kind=kind, percents=(5, 100), every_s=3600, since=NOW
    )
    result = StoreJudge(store, "").judge(parse_condition("rollback_rate>2%"), plan)
    assert result.holds is None
    assert f"devices tried a{'n' if kind == 'agent' else ''} {kind}; watch this rollout with --broker" in (
        result.numbers
    )


class AwayStore:
    """Store that does not answer."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        raise StoreError("nobody listens")

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        raise StoreError("nobody listens")

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        raise StoreError("nobody listens")

    def close(self) -> None:
        pass


def test_a_store_that_is_away_leaves_the_condition_unknown() -> None:
    result = judged(AwayStore(), "p99>control+10%")
    assert result.holds is None
    assert "the store cannot be asked (nobody listens)" in result.numbers
