"""Lists as CSV (RFC 4180); a text that a spreadsheet takes for a formula gets an apostrophe before it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from edgeagent.fleet.queries.fleet_row import FleetRow

FORMULA = ("=", "+", "-", "@", "\t", "\r")
ROWS_AT_ONCE = 500


def csv_lines(kind: type[FleetRow], rows: Iterable[FleetRow]) -> Iterator[bytes]:
    """Yield the CSV of rows, head first; an absent value is empty, values of a list have a blank between."""
    names = list(kind.model_fields)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(names)
    for number, row in enumerate(rows, 1):
        writer.writerow([_cell(getattr(row, name)) for name in names])
        if number % ROWS_AT_ONCE == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        value = " ".join(map(str, value))
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
