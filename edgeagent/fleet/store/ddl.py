"""Statements that create the tables, for the engine in the process, for a server, and for a cluster.

One machine has ``ReplacingMergeTree``. A cluster has ``ReplicatedReplacingMergeTree`` on each of its servers,
named ``<table>_local``, and a ``Distributed`` table over them with the name of the table, so that all
statements are the same. Rows are distributed by tenant and device: all rows with one key are on one server,
and replace each other.
"""

from __future__ import annotations

from edgeagent.fleet.store.columns import Table
from edgeagent.fleet.store.derived import DERIVED
from edgeagent.fleet.store.messages import MESSAGES

DURABLE = "fsync_after_insert = 1, fsync_part_directory = 1"
"""Settings of tables whose rows exist nowhere else: an insertion returns once they survive a power cut."""
TABLES = (*MESSAGES, *DERIVED)
BY_NAME = {table.name: table for table in TABLES}


def create_statements(tables: tuple[Table, ...] = TABLES, cluster: str | None = None) -> list[str]:
    """Return the statements that create these tables where they do not exist.

    Args:
        tables: to create.
        cluster: name of the cluster in the configuration of the servers; None for one machine.
    """
    statements: list[str] = []
    for table in tables:
        if cluster is None:
            statements.append(_create(table, table.name, "", f"ReplacingMergeTree({table.version or ''})"))
            continue
        on = f" ON CLUSTER {quoted(cluster)}"
        path = f"/clickhouse/tables/{{shard}}/{{database}}/{table.name}"
        local = f"{table.name}_local"
        version = f", {table.version}" if table.version else ""
        engine = f"ReplicatedReplacingMergeTree('{path}', '{{replica}}'{version})"
        statements.append(_create(table, local, on, engine))
        names = [name for name, _ in table.columns]
        shard = (
            f"cityHash64({', '.join([name for name in ('tenant', 'device') if name in names] or table.key)})"
        )
        statements.append(
            f"CREATE TABLE IF NOT EXISTS {table.name}{on} AS {local} "
            f"ENGINE = Distributed({quoted(cluster)}, currentDatabase(), {local}, {shard})"
        )
    return statements


def add_column_statements(table: str, column: str, after: str, cluster: str | None = None) -> list[str]:
    """Return the statements that add a column of a present table to one that was made without it.

    Args:
        table: its name.
        column: its name; the type is that of the present table.
        after: column before it.
        cluster: name of the cluster; None for one machine.
    """
    kind = dict(BY_NAME[table].columns)[column]
    on = "" if cluster is None else f" ON CLUSTER {quoted(cluster)}"
    names = [table] if cluster is None else [f"{table}_local", table]
    return [
        f"ALTER TABLE {name}{on} ADD COLUMN IF NOT EXISTS {quoted(column)} {kind} AFTER {quoted(after)}"
        for name in names
    ]


def versions_statement(cluster: str | None = None) -> str:
    """Return the statement of the table of done migrations; each server of a cluster has all of it."""
    on, engine = "", "ReplacingMergeTree"
    if cluster is not None:
        on = f" ON CLUSTER {quoted(cluster)}"
        path = "/clickhouse/tables/all/{database}/schema_versions"
        engine = f"ReplicatedReplacingMergeTree('{path}', '{{shard}}-{{replica}}')"
    return (
        f"CREATE TABLE IF NOT EXISTS schema_versions{on} (number UInt32, about String, "
        f"applied DateTime64(3, 'UTC') DEFAULT now64(3)) ENGINE = {engine} ORDER BY number"
    )


def quoted(name: str) -> str:
    """Return an identifier in back quotes."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _create(table: Table, name: str, on: str, engine: str) -> str:
    columns = [f"{quoted(column)} {kind}" for column, kind in table.columns]
    columns += [f"INDEX {column}_range {column} TYPE minmax GRANULARITY 1" for column in table.indexes]
    inside = ",\n    ".join(columns)
    parts = [
        f"CREATE TABLE IF NOT EXISTS {name}{on} (\n    {inside}\n) ENGINE = {engine}",
        f"ORDER BY ({', '.join(table.key)})",
    ]
    if table.partition is not None:
        parts.insert(1, f"PARTITION BY {table.partition}")
    if table.keep_by is not None and table.keep_days is not None:
        parts.append(f"TTL toDateTime({table.keep_by}) + INTERVAL {table.keep_days} DAY")
    if not table.derived:
        parts.append(f"SETTINGS {DURABLE}")
    return "\n".join(parts)
