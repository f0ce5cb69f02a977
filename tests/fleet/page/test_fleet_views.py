"""Parts of the views: what is shown where there is nothing, curves, files, shared answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edgeagent.fleet.page.csv_text import csv_lines
from edgeagent.fleet.page.permalinks import device_place, place, tenant_in
from edgeagent.fleet.page.request_limit import MOST_VISITORS, RequestLimit
from edgeagent.fleet.page.short_cache import ShortCache
from edgeagent.fleet.page.views.data_age import MODELS_LATE_S, write_data_age
from edgeagent.fleet.page.views.line_chart import Curve, line_chart
from edgeagent.fleet.page.views.share_chart import share_chart
from edgeagent.fleet.queries.fleet_row import FleetRow, UtcTime
from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.fleet.store.protocol import FleetStore, QueryResult, Row, StoreError
from edgeagent.web.views.markup import when_hour
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


def points(*values: float | None, minutes: int = 5) -> list[tuple[datetime, float | None]]:
    return [(NOON + timedelta(minutes=minutes * number), value) for number, value in enumerate(values)]


def test_a_curve_has_gaps_where_there_is_no_value() -> None:
    drawn = line_chart("Latency", "ms", [Curve("p50", points(1, 2, None, 3, 4))], 5)
    path = re.search(r'<path class="line-0" d="([^"]+)"', drawn)
    assert path
    assert path[1].count("M") == 2
    late = line_chart("Latency", "ms", [Curve("p50", [*points(1, 2), (NOON + timedelta(hours=3), 4.0)])], 5)
    assert "<circle" in late, "a value alone is a dot"
    assert line_chart("Latency", "ms", [Curve("p50", points(None, None))], 5) == ""
    assert line_chart("Latency", "ms", [], 5) == ""


def test_names_of_curves_are_no_code() -> None:
    drawn = line_chart("<b>", "<i>", [Curve("<script>", points(1, 2))], 5)
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert "<script>" not in share_chart("<script>", [("<script>", {100: 1, 120: 5})])


def test_shares_end_at_all_frames() -> None:
    drawn = share_chart("Latency", [("a", {100: 1, 164: 3}), ("b", {})])
    path = re.search(r'd="([^"]+)"', drawn)
    assert path
    heights = [float(point.split()[1]) for point in path[1][1:].split("L")]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == 14.0


class _Line(FleetRow):
    name: str
    value: float | None
    at: UtcTime
    many: list[str]


def test_files_hold_no_formulas() -> None:
    rows = [
        _Line(name='=1+1,"x"', value=None, at=NOON, many=["a", "b"]),
        _Line(name="-2", value=-2.0, at=NOON, many=[]),
        _Line(name="line\nbreak", value=1.5, at=NOON, many=["@x"]),
    ]
    text = b"".join(csv_lines(_Line, rows)).decode()
    assert text.splitlines() == [
        "name,value,at,many",
        '"\'=1+1,""x""",,2026-01-31T12:00:00Z,a b',
        "'-2,-2.0,2026-01-31T12:00:00Z,",
        '"line',
        "break\",1.5,2026-01-31T12:00:00Z,'@x",
    ]


def test_places_keep_what_is_given() -> None:
    assert (
        place("/devices", {"board": "a b&c", "page": ""}, sort="-p99") == "/devices?board=a+b%26c&sort=-p99"
    )
    assert device_place("", "a/b ?") == "/devices/-/a%2Fb%20%3F"
    assert tenant_in("-") == ""


def test_a_visitor_has_its_own_limit() -> None:
    now = [0]
    limit = RequestLimit(1.0, 2.0, lambda: now[0])
    assert [limit.allows("ann") for _ in range(4)] == [True, True, False, False]
    assert limit.allows("bob")
    now[0] += 1_000_000_000
    assert limit.allows("ann")
    for number in range(MOST_VISITORS + 10):
        limit.allows(str(number))
    assert len(limit._limits) == MOST_VISITORS


def test_an_answer_is_computed_once_for_all_who_ask() -> None:
    now, computed, gate = [0.0], [0], threading.Barrier(8)
    cache: ShortCache[int] = ShortCache(5.0, lambda: now[0])
    found = []

    def compute() -> int:
        computed[0] += 1
        return computed[0]

    def ask() -> None:
        gate.wait()
        found.append(cache.get("key", compute))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8
    now[0] = 5.0
    assert cache.get("key", compute) == 2
    with pytest.raises(ZeroDivisionError):
        cache.get("other", lambda: 1 // 0)
    assert cache.get("other", lambda: 7) == 7


class _Away:
    """A store whose process is gone."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        raise StoreError("the store cannot be reached: secret=1")

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        raise StoreError("the store cannot be reached")

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        raise StoreError("the store cannot be reached")

    def close(self) -> None:
        pass


def test_an_hour_is_shown_without_minutes_that_nobody_measured() -> None:
    shown = '<time datetime="2026-01-31T12:00:00Z" data-local="hour">2026-01-31 12:00 UTC</time>'
    assert when_hour("2026-01-31T12:00:00Z") == shown
    assert "not known" in when_hour(None)


def test_tables_that_lag_are_told() -> None:
    fresh = write_data_age(TableAge(computed=NOON, seconds=20))
    assert "2026-01-31 12:00:00 UTC" in fresh
    assert "behind" not in fresh
    late = write_data_age(TableAge(computed=NOON, seconds=700))
    assert "11 min behind" in late
    assert "Is the ingest running?" in late
    assert "90 s behind" in write_data_age(TableAge(computed=NOON, seconds=90))
    assert "behind" not in write_data_age(TableAge(computed=NOON, seconds=90), MODELS_LATE_S)
    assert write_data_age(None) == ""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetStore]:
    """Store without devices."""
    pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")
    from edgeagent.fleet.store.opening import open_fleet_store

    opened = open_fleet_store(str(tmp_path_factory.mktemp("bare")))
    yield opened
    opened.close()


def test_an_empty_store_teaches(bare: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(bare, tmp_path) as page:
        vic = page.enter("vic")
        told = {
            "/": "No devices yet",
            "/devices": "fleet ingest",
            "/devices?search=x": "No device is like this",
            "/models": "No figures in this span",
            "/compare": "Choose what is compared",
            "/compare?a_version=1": "Nothing to compare",
            "/rollouts": "Nothing was rolled out yet",
            "/alarms": "No alarm waits for anybody",
            "/lost": "Nothing lost",
        }
        for path, text in told.items():
            answer = page.ask(path, headers=vic)
            assert (answer.status, text in answer.text) == (200, True), path
        assert page.ask("/devices.csv", headers=vic).text.count("\n") == 1
        assert b"PAR1" in page.ask("/devices.parquet", headers=vic).body
        assert page.ask("/metrics", headers=vic).status == 200


def test_a_store_that_is_away_is_told_and_nothing_of_it(tmp_path: Path) -> None:
    with running_fleet_page(_Away(), tmp_path) as page:
        vic = page.enter("vic")
        for path in ("/", "/devices", "/alarms", "/api/v1/fleet", "/metrics", "/devices.csv"):
            answer = page.ask(path, headers=vic)
            assert answer.status == 503, path
            assert "The store does not answer" in answer.text
            assert "secret" not in answer.text
        assert page.ask("/users", headers=page.enter("ann")).status == 200, (
            "users are there without the store"
        )


def test_pages_and_files_are_those_of_the_client(bare: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(bare, tmp_path) as page:
        assert isinstance(page, FleetClient)
        assert page.ask("/static/current/fleet.js").status == 200
        assert page.ask("/static/current/elements.css").status == 200
        assert page.ask("/static/current/../fleet_page.py").status in (303, 401, 404)
