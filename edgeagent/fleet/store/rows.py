"""Rows as ClickHouse reads and writes them: JSON, a line a row."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic_core import from_json, to_json

from edgeagent.fleet.store.protocol import QueryResult, Row

INPUT = "JSONEachRow"
OUTPUT = "JSONCompactEachRowWithNamesAndTypes"
SETTINGS: dict[str, int | str] = {
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 0,
    # Clocks of devices are any; one message must not make a whole insertion impossible.
    "max_partitions_per_insert_block": 0,
}
"""Settings of every statement."""
READING: dict[str, int | str] = {"readonly": 2, "max_execution_time": 60, "max_memory_usage": 2_000_000_000}
"""Further settings of statements that only read: seconds and bytes that one may take."""


def row_lines(rows: Iterable[Row]) -> bytes:
    """Return the JSON of rows, a line each."""
    return b"".join(to_json(row) + b"\n" for row in rows)


def read_rows(text: bytes) -> QueryResult:
    """Return the result of a query in the format :data:`OUTPUT`; empty for a statement without a result."""
    lines = text.splitlines()
    if len(lines) < 2:
        return QueryResult((), (), [])
    columns, types = json.loads(lines[0]), json.loads(lines[1])
    return QueryResult(tuple(columns), tuple(types), [tuple(from_json(line)) for line in lines[2:]])
