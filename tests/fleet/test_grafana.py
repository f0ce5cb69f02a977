"""Each statement of the Grafana dashboard is understood by the store, and finds the fleet that is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.fleet.store.protocol import FleetStore
from tests.fleet.page.filled import fill

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "config" / "grafana" / "edgeagent-fleet.json").read_text(encoding="utf-8")
)
STATEMENTS = {panel["title"]: panel["targets"][0]["rawSql"] for panel in DASHBOARD["panels"]}
EMPTY = ("Messages not stored",)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetStore]:
    pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")
    from edgeagent.fleet.store.opening import open_fleet_store

    opened = open_fleet_store(str(tmp_path_factory.mktemp("grafana")))
    fill(opened, 20)
    yield opened
    opened.close()


@pytest.mark.parametrize("title", STATEMENTS)
def test_a_panel_shows_something(store: FleetStore, title: str) -> None:
    sql = STATEMENTS[title].replace("$__timeFilter(at)", "at > now() - 604800")
    assert "$" not in sql
    rows = store.query(sql).rows
    assert rows
    if title not in EMPTY:
        assert all(value not in (None, 0) for value in rows[0])


def test_percentiles_are_those_of_the_page(store: FleetStore) -> None:
    from edgeagent.fleet.queries.model_figures import model_figures

    sql = STATEMENTS["p99, capture to detections, by model and board"]
    shown = store.query(sql.replace("$__timeFilter(at)", "at > now() - 604800")).records()
    by_series = {str(row["series"]): float(row["p99_ms"]) for row in shown}
    for one in model_figures(store, "*"):
        assert by_series[f"{one.bundle} {one.version}, {one.board}"] == pytest.approx(one.p99_ms, rel=0.02)


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
