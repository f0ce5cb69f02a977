"""Rows as ClickHouse reads and writes them: JSON, a line a row."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from edgeagent.fleet.store.protocol import QueryResult, Row

INPUT = "JSONEachRow"
OUTPUT = "JSONCompactEachRowWithNamesAndTypes"
SETTINGS = {
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_named_tuples_as_objects": 0,
    # Clocks of devices are any; one message must not make a whole insertion impossible.
    "max_partitions_per_insert_block": 0,
    "fsync_metadata": 1,
}
"""Settings of every session."""


def row_lines(rows: Iterable[Row]) -> bytes:
    """Return the JSON of rows, a line each."""
    return "".join(json.dumps(row, default=_time_text) + "\n" for row in rows).encode()


def read_rows(text: bytes) -> QueryResult:
    """Return the result of a query in the format :data:`OUTPUT`; empty for a statement without a result."""
    lines = text.splitlines()
    if len(lines) < 2:
        return QueryResult((), (), [])
    columns, types = json.loads(lines[0]), json.loads(lines[1])
    return QueryResult(tuple(columns), tuple(types), [tuple(json.loads(line)) for line in lines[2:]])


def _time_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    raise TypeError(f"{type(value).__name__} has no form in a row")
