"""SQLite file of users, tokens and audit: the page and the command line open it at the same time.

Migrations are numbered (``user_version`` of SQLite); a file of a newer version is refused.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgeagent.errors import ConfigurationError
from edgeagent.files.durable import make_folder

NAME = "users.sqlite3"
BUSY_S = 10.0
MIGRATIONS = (
    """
    CREATE TABLE users (
        name TEXT PRIMARY KEY, hash TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL,
        since REAL NOT NULL
    ) STRICT;
    CREATE TABLE tokens (
        user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE, name TEXT NOT NULL,
        digest BLOB NOT NULL UNIQUE, role TEXT NOT NULL, since REAL NOT NULL, expires REAL,
        PRIMARY KEY (user, name)
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, who TEXT NOT NULL, address TEXT NOT NULL,
        tenant TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, done INTEGER NOT NULL,
        detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_of_tenant ON audit(tenant, id);
    """,
    "CREATE TABLE announced (id TEXT PRIMARY KEY, time REAL NOT NULL) STRICT;",
    """
    CREATE TABLE upload_tokens (
        tenant TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, since REAL NOT NULL,
        PRIMARY KEY (tenant, name)
    ) STRICT;
    """,
)


class UserFile:
    """Connection to the file; thread-safe.

    Args:
        folder: that it lies in; made if it is missing, for the owner only.

    Raises:
        ConfigurationError: it cannot be opened, is damaged, or is of a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self._lock = folder / NAME, threading.Lock()
        with self._told():
            make_folder(folder)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return rows.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        with self._lock, self._told():
            return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Change rows in a transaction that is on the disk at the end; return their number.

        Raises:
            ConfigurationError: the file cannot be written.
            sqlite3.IntegrityError: a row exists already.
        """
        with self._lock, self._told():
            return self._connection.execute(sql, parameters).rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _migrate(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(MIGRATIONS):
                raise ConfigurationError(
                    f"{self.path}: is of a newer edgeagent (version {version}); use that, or another folder"
                )
            for script in MIGRATIONS[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS):d}")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite or the disk says into a sentence."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(
                f"{self.path}: users cannot be read or written ({error}); make room, check the rights of the "
                "folder, or give another one with --state"
            ) from error
