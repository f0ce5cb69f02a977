"""Engine of ClickHouse in this process (chdb), with its data in a folder.

One process has the folder open: the engine locks it. The module chdb is imported here only, when a store is opened: it
takes 290 MB of memory. The engine asks nobody over the network by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.store.ddl import BY_NAME, quoted
from edgeagent.fleet.store.migrations import migrate
from edgeagent.fleet.store.parameters import parameter_text
from edgeagent.fleet.store.protocol import QueryResult, Row, StoreError
from edgeagent.fleet.store.rows import INPUT, OUTPUT, SETTINGS, read_rows, row_lines

DATABASE = "edgeagent"


class EmbeddedStore:
    """Store in a folder.

    Args:
        folder: of the data; made where it does not exist, readable by its owner only.

    Raises:
        ConfigurationError: the extra is not installed.
        StoreError: another process has the folder open, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from chdb.session import Session
        except ImportError:
            raise ConfigurationError(
                "the store of the fleet needs chdb; install it with: pip install 'edgeagent[fleet]'"
            ) from None
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._session = Session(str(folder))
        except (OSError, RuntimeError) as error:
            raise StoreError(
                f"{folder}: the store cannot be opened ({_first_line(error)}); one process at a time opens it"
            ) from None
        self.folder = folder
        self._lock = threading.Lock()
        settings = ", ".join(f"{name} = {value!r}" for name, value in SETTINGS.items())
        for statement in (
            f"CREATE DATABASE IF NOT EXISTS {quoted(DATABASE)}",
            f"USE {quoted(DATABASE)}",
            f"SET {settings}",
        ):
            self.execute(statement)
        migrate(self)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Store rows; when it returns, they are on the disk."""
        if table not in BY_NAME:
            raise StoreError(f"the store has no table {table}")
        if not rows:
            return
        with self._lock:
            try:
                self._session.query(f"INSERT INTO {quoted(table)} FORMAT {INPUT} {row_lines(rows).decode()}")
            except RuntimeError as error:
                raise StoreError(f"{table}: {len(rows)} rows are not stored ({_first_line(error)})") from None

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Return the result of a statement."""
        given = {name: parameter_text(value) for name, value in (parameters or {}).items()}
        with self._lock:
            try:
                return read_rows(self._session.query(sql, OUTPUT, params=given).bytes())
            except RuntimeError as error:
                raise StoreError(f"the store refuses a query ({_first_line(error)})") from None

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without a result."""
        self.query(sql, parameters)

    def close(self) -> None:
        """Close the folder."""
        with self._lock:
            self._session.close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
