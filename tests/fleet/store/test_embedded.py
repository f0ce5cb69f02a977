"""The embedded store: rows, parameters, what is refused, and one process at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.protocol import StoreError
from tests.fleet.rows import telemetry_row

NASTY = 'a\'b\\c\td\n"x";--\0ä'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path_factory.mktemp("fleet") / "store")
    yield opened
    opened.close()


def test_rows_with_one_key_count_once(store: EmbeddedStore) -> None:
    rows = [telemetry_row("once", sequence) for sequence in range(1, 6)]
    store.insert("telemetry", rows)
    store.insert("telemetry", rows[2:])
    sql = "SELECT count() FROM telemetry FINAL WHERE device = 'once'"
    assert store.query(sql).rows == [(5,)]


def test_values_come_back_as_they_were(store: EmbeddedStore) -> None:
    row = telemetry_row(NASTY, 1, stage_buckets=[{-426: 1, 1015: 2**40}], temperatures_c={"cpu": 48.5})
    store.insert("telemetry", [row])
    sql = "SELECT * FROM telemetry WHERE device = {device:String} AND sequence IN {numbers:Array(UInt64)}"
    (found,) = store.query(sql, {"device": NASTY, "numbers": [1, 2]}).records()
    assert found["device"] == NASTY
    assert found["stage_buckets"] == [{"-426": 1, "1015": 2**40}]
    assert found["temperatures_c"] == {"cpu": 48.5}
    assert found["energy_j"] is None  # absent is absent
    assert found["device_time"] == row["device_time"].strftime("%Y-%m-%d %H:%M:%S.000")


@pytest.mark.parametrize("value", [NASTY, "", "\\N", "NULL", "[1]", "{x:String}"])
def test_a_parameter_is_never_part_of_the_statement(store: EmbeddedStore, value: str) -> None:
    assert store.query("SELECT {value:String}", {"value": value}).rows == [(value,)]
    assert store.query("SELECT {list:Array(String)}", {"list": [value]}).rows == [([value],)]


def test_absent_parameters(store: EmbeddedStore) -> None:
    assert store.query("SELECT {value:Nullable(String)}", {"value": None}).rows == [(None,)]
    with pytest.raises(StoreError, match="a parameter of a query is a dict"):
        store.query("SELECT 1", {"value": {}})


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO telemetry (device) SELECT 'x'",
        "DROP TABLE telemetry",
        "ALTER TABLE telemetry DELETE WHERE 1",
        "SET readonly = 0",
        "CREATE TABLE x (y Int8) ENGINE = Memory",
    ],
)
def test_a_query_only_reads(store: EmbeddedStore, sql: str) -> None:
    with pytest.raises(StoreError, match=r"[Rr]eadonly|READONLY"):
        store.query(sql)


def test_mistakes_are_told_in_one_line(store: EmbeddedStore) -> None:
    with pytest.raises(StoreError, match="Unknown") as found:
        store.query("SELECT nothing")
    assert "\n" not in str(found.value)
    assert found.value.code == 47
    with pytest.raises(StoreError, match="no table nothing"):
        store.insert("nothing", [{"a": 1}])
    with pytest.raises(StoreError, match="telemetry: rows are not stored") as refused:
        store.insert("telemetry", [{"no_column": 1}])
    assert refused.value.of_the_rows


def test_a_refused_insertion_stores_nothing(store: EmbeddedStore) -> None:
    rows = [telemetry_row("all or nothing", 1), telemetry_row("all or nothing", 2, interval_s="no number")]
    with pytest.raises(StoreError) as refused:
        store.insert("telemetry", rows)
    assert refused.value.of_the_rows
    assert store.query("SELECT count() FROM telemetry WHERE device = 'all or nothing'").rows == [(0,)]


def test_clocks_of_every_month_fit_in_one_insertion(store: EmbeddedStore) -> None:
    rows = [
        telemetry_row("clock", 1 + 12 * (year - 1970) + month, device_time=f"{year}-{month:02d}-01T00:00:00Z")
        for year in range(1970, 2101)
        for month in range(1, 13)
    ]
    store.insert("telemetry", rows)
    counted = store.query("SELECT count(), uniqExact(_partition_id) FROM telemetry WHERE device = 'clock'")
    assert counted.rows[0][0] == len(rows)
    assert counted.rows[0][1] == 16 * 12 + 1  # 2020 to 2035 by month, all else in one


def test_another_process_is_refused_and_told_why(store: EmbeddedStore) -> None:
    code = (
        "import sys; from pathlib import Path; from edgeagent.fleet.store.embedded import EmbeddedStore\n"
        "from edgeagent.errors import EdgeagentError\n"
        "try: EmbeddedStore(Path(sys.argv[1]))\n"
        "except EdgeagentError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(store.folder)], capture_output=True, text=True, check=True
    )
    assert "one process at a time opens it" in done.stdout


def test_the_engine_is_imported_by_a_store_only() -> None:
    code = (
        "import sys, edgeagent.cli, edgeagent.fleet.ingest.worker, edgeagent.fleet.store.opening\n"
        "import edgeagent.cli.fleet_ingest, edgeagent.cli.fleet_query, edgeagent.fleet.simulator.fleet\n"
        "print(sorted({'chdb', 'pandas', 'pyarrow', 'clickhouse_connect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_data_stay_over_a_new_start(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edgeagent.fleet.store.embedded import EmbeddedStore\n"
        "from tests.fleet.rows import telemetry_row\n"
        "store = EmbeddedStore(Path(sys.argv[1]))\n"
        "found = store.query('SELECT count() FROM telemetry FINAL').rows[0][0]\n"
        "store.insert('telemetry', [telemetry_row('a', found + 1)])\n"
        "print(found, flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        ).stdout.strip()
        for _ in range(2)
    ]
    assert found == ["0", "1"]
