"""What every reader and writer of the store uses, whatever the engine is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeagent.errors import EdgeagentError

Row = Mapping[str, Any]
"""Row to insert: column to value. A column that is left out has its default: absent, 0 or empty.

Times are ``datetime`` with a zone or text in ISO 8601, maps are dicts, tuples and arrays are sequences.
"""


class StoreError(EdgeagentError):
    """The store refuses a statement, or cannot be reached or written."""

    exit_code = 9


@dataclass(frozen=True)
class QueryResult:
    """Rows of a query.

    Attributes:
        columns: their names.
        types: their types, as ClickHouse names them.
        rows: values in the order of the columns; times are text in UTC (``2026-01-31 12:00:00.000``), 64-bit
            integers are ints, an absent value is None.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as column to value."""
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))


class FleetStore(Protocol):
    """Tables of the fleet. All methods may be called from any thread."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Store rows; when it returns, they are on the disk.

        Raises:
            StoreError: nothing is certain; the same rows may be inserted again.
        """

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Return the result of a statement.

        Args:
            sql: with ``{name:Type}`` for each parameter. ``FINAL`` after the name of a table leaves out the
                versions of rows that were replaced.
            parameters: their values: text, numbers, times, None, and lists of these.

        Raises:
            StoreError: the statement is refused, or the store cannot be reached.
        """

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without a result, such as one that creates a table.

        Raises:
            StoreError: as for :meth:`query`.
        """

    def close(self) -> None:
        """Release the engine or the connection."""
