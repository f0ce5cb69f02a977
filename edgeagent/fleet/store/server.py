"""Store on a ClickHouse server, or in another process of this machine, through clickhouse-connect."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.fleet.store.ddl import BY_NAME, quoted
from edgeagent.fleet.store.embedded import DATABASE, first_line
from edgeagent.fleet.store.migrations import migrate
from edgeagent.fleet.store.parameters import time_text
from edgeagent.fleet.store.protocol import QueryResult, Row, StoreError
from edgeagent.fleet.store.rows import INPUT, OUTPUT, READING, SETTINGS, read_rows, row_lines

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SCHEMES = {"clickhouse": False, "clickhouses": True}
"""Schemes of addresses, and whether the connection is encrypted."""
PASSWORD = "EDGEAGENT_STORE_PASSWORD"  # noqa: S105 - name of a variable of the environment
CONNECT_S, ANSWER_S = 10, 300
CHATTY = ("urllib3.connectionpool", "clickhouse_connect")
"""Loggers that tell each try with all its settings; what fails is told once, as :class:`StoreError`."""
CLUSTER: dict[str, int | str] = {"insert_distributed_sync": 1, "distributed_product_mode": "global"}
"""Further settings for a cluster: insertions have reached the servers; subqueries are asked once, for all."""


class ServerStore:
    """Store behind the HTTP interface of ClickHouse.

    Args:
        client: connection.
        cluster: name of the cluster on whose servers the tables are made; None for one server.
    """

    def __init__(self, client: Client, cluster: str | None = None) -> None:
        self._client, self._cluster = client, cluster
        self._settings = SETTINGS if cluster is None else {**SETTINGS, **CLUSTER}

    def migrate(self) -> None:
        """Bring the tables up to date.

        Raises:
            StoreError: as :func:`edgeagent.fleet.store.migrations.migrate`.
        """
        migrate(self, self._cluster)

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Store rows; when it returns, the server has them."""
        if not rows:
            return
        if table not in BY_NAME:
            raise StoreError(f"the store has no table {table}")
        with _told(f"{table}: {len(rows)} rows are not stored"):
            self._client.raw_insert(
                quoted(table), insert_block=row_lines(rows), fmt=INPUT, settings=dict(self._settings)
            )

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> QueryResult:
        """Return the result of a statement that only reads."""
        return read_rows(self._answer(sql, parameters, {**self._settings, **READING}))

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without a result."""
        self._answer(sql, parameters, self._settings)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer(
        self, sql: str, parameters: Mapping[str, Any] | None, settings: Mapping[str, int | str]
    ) -> bytes:
        given = {name: _plain(value) for name, value in (parameters or {}).items()}
        with _told("the store does not answer a statement", "the store refuses a statement"):
            return bytes(self._client.raw_query(sql, given or None, dict(settings), OUTPUT))


def connect(address: str, password_file: Path | None = None, *, migrating: bool = True) -> ServerStore:
    """Return the store at ``clickhouse://user@host:8123/database?cluster=name``.

    ``clickhouses://`` is the same over TLS. The database must exist.

    Args:
        address: of the server.
        password_file: file whose first line is the password; otherwise it is that of the variable
            :data:`PASSWORD` of the environment, or empty.
        migrating: whether the tables are brought up to date.

    Raises:
        ConfigurationError: the address or the password file cannot be used, or a package is missing.
        StoreError: the server cannot be reached, or refuses the user.
    """
    parts = urlsplit(address)
    secure = SCHEMES[parts.scheme]
    try:
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{parts.hostname}: the port of the store is no number") from None
    if parts.password is not None:
        raise ConfigurationError(
            "the address of the store holds a password, which everybody on this machine could read; "
            f"give it in a file (--store-password-file) or in the variable {PASSWORD}"
        )
    if not parts.hostname:
        raise ConfigurationError(f"{address}: expected clickhouse://user@host:8123/database")
    cluster = parse_qs(parts.query).get("cluster", [None])[0]
    password = os.environ.get(PASSWORD, "")
    if password_file is not None:
        password = read_secret(password_file, "the store's password")
    get_client = _module().get_client
    with _told(f"{parts.hostname}: the store cannot be opened"):
        client = get_client(
            interface="https" if secure else "http",
            host=parts.hostname,
            port=port or (8443 if secure else 8123),
            username=unquote(parts.username) if parts.username else "default",
            password=password,
            database=unquote(parts.path.strip("/")) or "default",
            **_OPTIONS,
        )
    store = ServerStore(client, cluster)
    if migrating:
        store.migrate()
    return store


def connect_socket(path: Path) -> ServerStore:
    """Return the store of another process of this machine, which serves it at a Unix socket.

    Raises:
        ConfigurationError: the extra is not installed.
        StoreError: nobody answers at the socket.
    """
    get_client = _module().get_client
    pool = _SocketPools(path)
    with _told(f"{path}: the store cannot be reached"):
        return ServerStore(get_client(host="localhost", pool_mgr=pool, database=DATABASE, **_OPTIONS))


_OPTIONS: dict[str, Any] = {
    "compress": False,
    "connect_timeout": CONNECT_S,
    "send_receive_timeout": ANSWER_S,
    "autogenerate_session_id": False,  # a session would run one statement at a time
    "query_retries": 0,
}


class _SocketConnection(urllib3.connection.HTTPConnection):
    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._path = path

    def _new_conn(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            raise urllib3.exceptions.NewConnectionError(self, f"{error}") from error
        return connection


class _SocketPool(urllib3.HTTPConnectionPool):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", maxsize=8)
        self._path = path

    def _new_conn(self) -> Any:
        return _SocketConnection(self._path, timeout=self.timeout.connect_timeout)


class _SocketPools(urllib3.PoolManager):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._pool = _SocketPool(path)

    def connection_from_host(self, *_: Any, **__: Any) -> Any:
        return self._pool


_REASON = re.compile(r"Code: \d+\..*", re.DOTALL)
_ADDRESS = re.compile(r"\s*\(for url [^)]*\)\s*\Z")


class _told:  # noqa: N801 - reads as a statement
    """Errors of the client as :class:`StoreError`: what failed, or what the server refuses."""

    def __init__(self, what: str, refused: str | None = None) -> None:
        self._what, self._refused = what, refused or what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        from clickhouse_connect.driver.exceptions import ClickHouseError

        if not isinstance(error, ClickHouseError | urllib3.exceptions.HTTPError | OSError):
            return
        reason = _reason_of_server(str(error))
        if reason is None:
            raise StoreError(f"{self._what} ({first_line(error)})") from None
        raise StoreError(f"{self._refused} ({reason})") from None


def _reason_of_server(text: str) -> str | None:
    """Return why the server refuses, out of the client's text; None where it gave no answer."""
    found = _REASON.search(text)
    if found is None:
        return None
    reason = _ADDRESS.sub("", found.group()).partition("\n")[0].strip()
    return reason[:-1] if reason.count(")") > reason.count("(") else reason


def _plain(value: Any) -> Any:
    """Return a value of a parameter without times, which the client would cut to whole seconds."""
    if isinstance(value, datetime):
        return time_text(value)
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _module() -> Any:
    try:
        import clickhouse_connect
    except ImportError:
        raise ConfigurationError(
            "a store in another process or on a server needs clickhouse-connect; install it with: "
            "pip install 'edgeagent[fleet]'"
        ) from None
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return clickhouse_connect
