"""What every reader and writer of the store uses, whatever the engine is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeagent.errors import EdgeagentError

_CODE = re.compile(r"[Cc]ode: (\d+)")
# CANNOT_PARSE_..., ARGUMENT_OUT_OF_BOUND, UNKNOWN_FIELD and the like: ErrorCodes.cpp of ClickHouse
_OF_ROWS = frozenset({6, 25, 26, 27, 38, 41, 53, 69, 70, 72, 117, 130, 321, 349, 407, 441, 467, 636, 676})

Row = Mapping[str, Any]
"""Row to insert: column to value. A column that is left out has its default: absent, 0 or empty.

Times are ``datetime`` with a zone or text in ISO 8601, maps are dicts, tuples and arrays are sequences.
"""


class StoreError(EdgeagentError):
    """The store refuses a statement, or cannot be reached or written.

    Attributes:
        code: number of the error at ClickHouse; None where it could not be asked.
    """

    exit_code = 9

    def __init__(self, text: str) -> None:
        super().__init__(text)
        found = _CODE.search(text)
        self.code = int(found.group(1)) if found else None

    @property
    def of_the_rows(self) -> bool:
        """Whether the rows themselves are refused, so that they would be again."""
        return self.code in _OF_ROWS


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
