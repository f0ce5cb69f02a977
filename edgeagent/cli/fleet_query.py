"""``edgeagent fleet query``: one statement of SQL that only reads."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import TYPE_CHECKING, Any

from edgeagent.cli.fleet_store_options import add_store
from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.files.naming import escape_controls

if TYPE_CHECKING:
    from edgeagent.fleet.store.protocol import QueryResult

DESCRIPTION = """\
Print the rows of a statement in ClickHouse's SQL. It only reads: what would change something is
refused. Tables and columns: docs/fleet-tables.md; `FINAL` behind the name of a table leaves out rows that
were replaced.

examples:
  edgeagent fleet query 'SELECT device, board, p50_ms FROM devices FINAL ORDER BY p50_ms DESC LIMIT 10'
  edgeagent fleet query --csv 'SELECT * FROM problems FINAL WHERE ended IS NULL' > problems.csv
  edgeagent fleet query --json "SELECT count() FROM telemetry FINAL WHERE time > now() - INTERVAL 1 HOUR" """


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``query``."""
    parser = commands.add_parser(
        "query",
        help="print the rows of a statement",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sql", help="statement")
    add_store(parser)
    form = parser.add_mutually_exclusive_group()
    add_json_options(form)  # type: ignore[arg-type]
    form.add_argument("--csv", action="store_true", help="print comma-separated values instead of a table")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the rows."""
    from edgeagent.fleet.store.opening import open_fleet_store

    store = open_fleet_store(arguments.store, arguments.store_password_file, existing=True)
    try:
        result = store.query(arguments.sql)
    finally:
        store.close()
    if arguments.json:
        types = dict(zip(result.columns, result.types, strict=True))
        give_result(arguments, {"columns": types, "rows": list(result.records())})
    elif arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows([_text(value) for value in row] for row in result.rows)
    else:
        _print_table(result)
    return 0


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _print_table(result: QueryResult) -> None:
    lines = [[escape_controls(_text(value)) for value in row] for row in result.rows]
    widths = [max(map(len, column)) for column in zip(result.columns, *lines, strict=True)]
    for line in (result.columns, *lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())
    print(f"{len(lines)} rows", file=sys.stderr)
