"""Numbered steps of the schema: done once, in order, again after an interruption, and with the data kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.fleet.store.ddl import BY_NAME
from edgeagent.fleet.store.derivation import Derivation
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.migrations import MIGRATIONS, Migration, migrate
from edgeagent.fleet.store.protocol import StoreError
from tests.fleet.rows import BEGIN, telemetry_row


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path)
    yield opened
    opened.close()


def further(number: int, *statements: str) -> tuple[Migration, ...]:
    """Return the steps of the program and one more."""
    return (*MIGRATIONS, Migration(number, f"step {number}", lambda cluster: list(statements)))


def numbers(store: EmbeddedStore) -> list[int]:
    sql = "SELECT DISTINCT number FROM schema_versions ORDER BY number"
    return [number for (number,) in store.query(sql).rows]


def test_the_numbers_have_no_gap() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_old_rows_are_read_after_a_step(store: EmbeddedStore) -> None:
    last = MIGRATIONS[-1].number
    store.insert("telemetry", [telemetry_row("old", number) for number in range(1, 11)])
    added = further(last + 1, "ALTER TABLE telemetry ADD COLUMN IF NOT EXISTS humidity Nullable(Float64)")
    assert migrate(store, migrations=added) == last + 1
    assert migrate(store, migrations=added) == last + 1
    assert numbers(store) == [*range(1, last + 2)]
    Derivation(store).step()
    assert store.query("SELECT count(), count(humidity) FROM telemetry FINAL").rows == [(10, 0)]
    assert store.query("SELECT sum(messages) FROM system_day FINAL").rows == [(10,)]


def test_a_store_of_the_first_schema_gets_the_columns_that_came_later(store: EmbeddedStore) -> None:
    store.insert("devices", [{"device": "old", "updated": BEGIN, "map50_95": 0.29, "map_claimed": 0.3}])
    store.execute("ALTER TABLE devices DROP COLUMN map_tolerance")
    store.execute("TRUNCATE TABLE schema_versions")
    store.execute("INSERT INTO schema_versions (number, about) VALUES (1, 'first tables')")
    assert migrate(store) == MIGRATIONS[-1].number
    assert store.query("SELECT device, map_tolerance FROM devices FINAL").rows == [("old", None)]
    (columns,) = zip(
        *store.query("SELECT name FROM system.columns WHERE table = 'devices'").rows, strict=True
    )
    assert list(columns) == [name for name, _ in BY_NAME["devices"].columns]


def test_an_interrupted_step_is_run_again(store: EmbeddedStore) -> None:
    last = MIGRATIONS[-1].number
    add = "ALTER TABLE events ADD COLUMN IF NOT EXISTS severity UInt8"
    with pytest.raises(StoreError, match="TABEL"):
        migrate(store, migrations=further(last + 1, add, "ALTER TABEL"))
    assert numbers(store)[-1] == last
    migrate(store, migrations=further(last + 1, add))
    assert numbers(store)[-1] == last + 1
    assert store.query("SELECT count(severity) FROM events").rows == [(0,)]


def test_a_store_of_a_newer_version_is_refused(store: EmbeddedStore) -> None:
    migrate(store, migrations=further(MIGRATIONS[-1].number + 1))
    with pytest.raises(StoreError, match="install the newer one"):
        migrate(store)
