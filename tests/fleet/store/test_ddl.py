"""Statements of the tables: for one machine they run, those for a cluster are read by the engine's parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeagent.fleet.store.ddl import TABLES, add_column_statements, create_statements, versions_statement
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.messages import MESSAGES
from edgeagent.fleet.store.protocol import StoreError
from edgeagent.fleet.store.table_document import document

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path_factory.mktemp("fleet"))
    yield opened
    opened.close()


def test_the_engine_reads_the_statements_for_a_cluster(store: EmbeddedStore) -> None:
    statements = create_statements(cluster="my fleet`s")
    assert len(statements) == 2 * len(TABLES)
    for statement in statements:
        tree = store.query(f"EXPLAIN AST {statement}").rows
        assert tree[0][0].startswith("CreateQuery"), statement
    versions = store.query(f"EXPLAIN AST {versions_statement('c')}").rows
    assert versions[0][0].startswith("CreateQuery")
    added = add_column_statements("devices", "map_tolerance", "map_claimed", "c")
    assert [statement.split()[2] for statement in added] == ["devices_local", "devices"]
    for statement in added:
        assert store.query(f"EXPLAIN AST {statement}").rows[0][0].startswith("AlterQuery")
    with pytest.raises(StoreError, match="Syntax error"):
        store.query(f"EXPLAIN AST {statements[0]} NONSENSE (")


def test_replicas_replace_rows_and_shards_keep_a_device_together() -> None:
    by_name = dict(zip(TABLES, zip(*[iter(create_statements(cluster="c"))] * 2, strict=True), strict=True))
    for table, (local, distributed) in by_name.items():
        assert "ReplicatedReplacingMergeTree(" in local
        assert f"{table.name}_local" in distributed
        if "device" in table.key:
            assert "cityHash64(tenant, device)" in distributed


def test_every_table_is_made_and_has_its_key(store: EmbeddedStore) -> None:
    found = dict(store.query("SELECT name, sorting_key FROM system.tables WHERE database = 'edgeagent'").rows)
    assert {table.name: ", ".join(table.key) for table in TABLES} == {
        name: key.strip("()") for name, key in found.items() if name != "schema_versions"
    }


def test_columns_of_keys_exist() -> None:
    for table in TABLES:
        names = [name for name, _ in table.columns]
        assert set(table.key) <= set(names), table.name
        assert len(names) == len(set(names)), table.name


def test_messages_are_synchronized_with_the_disk() -> None:
    for statement in create_statements(MESSAGES):
        assert "fsync_after_insert = 1" in statement


def test_the_document_has_all_tables() -> None:
    assert (ROOT / "docs/fleet-tables.md").read_text(encoding="utf-8") == document()
