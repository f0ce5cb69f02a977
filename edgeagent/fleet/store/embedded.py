"""Engine of ClickHouse in this process (chdb), with its data in a folder.

One process has the folder open: the engine locks it. Other processes reach it through the socket that
:mod:`edgeagent.fleet.store.endpoint` serves. The module chdb is imported here only, when a store is opened:
it takes 290 MB of memory.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.store.ddl import BY_NAME, quoted
from edgeagent.fleet.store.migrations import migrate
from edgeagent.fleet.store.parameters import parameter_text
from edgeagent.fleet.store.protocol import QueryResult, Row, StoreError
from edgeagent.fleet.store.rows import INPUT, OUTPUT, READING, SETTINGS, read_rows, row_lines

DATABASE = "edgeagent"
DATA = "clickhouse"
"""Folder of the engine below that of the store."""


class _Sessions:
    """Sessions of one kind; each is used by one thread at a time."""

    def __init__(self, path: Path, count: int, statements: Sequence[str]) -> None:
        self._path, self._statements = path, statements
        self._free: list[Any] = []
        self._permits = threading.BoundedSemaphore(count)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[Any]:
        """Lend a session, once one is free."""
        with self._permits:
            with self._lock:
                session = self._free.pop() if self._free else None
            session = self._open() if session is None else session
            try:
                yield session
            finally:
                with self._lock:
                    self._free.append(session)

    def close(self) -> None:
        """Close the sessions that nobody uses."""
        with self._lock:
            while self._free:
                self._free.pop().close()

    def _open(self) -> Any:
        session = import_module("chdb.session").Session(str(self._path))
        for statement in self._statements:
            session.query(statement)
        return session


class EmbeddedStore:
    """Store in a folder.

    Args:
        folder: of the store; made where it does not exist, readable by its owner only.
        existing: whether the store must be there already.

    Attributes:
        made: whether there was no store before.

    Raises:
        ConfigurationError: the extra is not installed, or there is no store that must be there.
        StoreError: another process has the folder open, or it cannot be written.
    """

    def __init__(self, folder: Path, *, existing: bool = False) -> None:
        try:
            import_module("chdb.session")
        except ImportError:
            raise ConfigurationError(
                "the store of the fleet needs chdb; install it with: pip install 'edgeagent[fleet]'"
            ) from None
        use = (f"CREATE DATABASE IF NOT EXISTS {quoted(DATABASE)}", f"USE {quoted(DATABASE)}")
        path = folder / DATA
        self.made = not path.is_dir()
        if existing and self.made:
            raise ConfigurationError(
                f"{folder.absolute()}: there is no store; give the folder of "
                "`edgeagent fleet ingest` with --store"
            )
        self.folder = folder
        self._writers = _Sessions(path, 2, (*use, _set(SETTINGS)))
        self._readers = _Sessions(path, 4, (use[1], _set({**SETTINGS, **READING})))
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._writers.one():  # opens the folder, and makes the database
                pass
        except (OSError, RuntimeError) as error:
            raise StoreError(
                f"{folder}: the store cannot be opened ({first_line(error)}); one process at a time opens it"
            ) from None
        migrate(self)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Store rows; when it returns, they are on the disk."""
        if rows:
            self.insert_lines(table, row_lines(rows))

    def insert_lines(self, table: str, lines: bytes) -> None:
        """As :meth:`insert`, for rows as JSON, a line each."""
        if table not in BY_NAME:
            raise StoreError(f"the store has no table {table}")
        with self._writers.one() as session:
            try:
                # Not send_insert: with chdb 4.4 it says that all is written when the disk is full.
                session.query(f"INSERT INTO {quoted(table)} FORMAT {INPUT} {lines.decode()}")
            except RuntimeError as error:
                raise StoreError(f"{table}: rows are not stored ({first_line(error)})") from None

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Return the result of a statement that only reads."""
        texts = {name: parameter_text(value) for name, value in (parameters or {}).items()}
        return read_rows(self.answer(sql, OUTPUT, texts, writes=False))

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without a result, such as one that creates a table."""
        texts = {name: parameter_text(value) for name, value in (parameters or {}).items()}
        self.answer(sql, OUTPUT, texts, writes=True)

    def answer(self, sql: str, form: str, parameters: Mapping[str, str], *, writes: bool) -> bytes:
        """Return the result of a statement in a format of ClickHouse.

        Args:
            sql: statement; a format that it names itself counts.
            form: format otherwise.
            parameters: texts of the parameters.
            writes: whether it may change anything.

        Raises:
            StoreError: the statement is refused.
        """
        with (self._writers if writes else self._readers).one() as session:
            try:
                return bytes(session.query(sql, form, params=dict(parameters)).bytes())
            except RuntimeError as error:
                raise StoreError(f"the store refuses a statement ({first_line(error)})") from None

    def close(self) -> None:
        """Close the folder."""
        self._readers.close()
        self._writers.close()


def first_line(error: Exception) -> str:
    """Return the first line of what an engine says, which may be many lines."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _set(settings: Mapping[str, int | str]) -> str:
    return "SET " + ", ".join(f"{name} = {value!r}" for name, value in settings.items())
