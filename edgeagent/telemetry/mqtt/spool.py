"""Messages that wait on the disk for the broker: SQLite in WAL mode, bounded by bytes and by age.

A commit is written to the log and survives the end of the process (SQLite, "Write-Ahead Logging"); a power
cut takes at most what was committed since the last synchronisation, 10 s. Every row carries its CRC-32, as
SQLite does not notice garbled content. A file that cannot be read is put aside and counted, and a new one is
begun.

The age of a message is the time for which the agent has run since, not a difference of wall clocks: a board
without a clock battery starts in 1970, and clocks jump. A board that was off for a month has not grown older.

One thread uses it.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.telemetry.contract.streams import LEAST, MOST

logger = logging.getLogger(__name__)

SPOOL = "spool.db"
"""Its name in the agent's state folder."""
SYNC_S = 10.0  # what a power cut may take
LOG_PAGES = 256  # of 4 KiB, after which the write-ahead log goes into the file
BATCH = 32  # messages that make room at once

DISK = ("is locked", "disk is full", "readonly database", "unable to open", "disk I/O error")
"""Errors of the disk or of another program; all others say that the file is damaged."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY, worth INTEGER NOT NULL, kept REAL NOT NULL, crc INTEGER NOT NULL,
    message BLOB NOT NULL -- topic, line feed, payload; together compressed by zlib, to a third
)
"""


class SpoolError(EdgeagentError):
    """The disk does not take or give messages: full, read-only, or failing."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message.

    Attributes:
        id: grows with every message; the order in which they were made.
        topic: below the device's prefix.
        worth: see :class:`edgeagent.telemetry.contract.streams.Stream`.
        payload: as it was made.
    """

    id: int
    topic: str
    worth: int
    payload: bytes


class Spool:
    """The messages of one device.

    Args:
        path: of the file; its folder is made when missing.
        limit: bytes of the file, its log of about 1 MB aside.
        age: seconds of running after which a message is dropped.

    Attributes:
        damaged: files that could not be read and were put aside, since this object was made.
        waiting: messages in it.

    Raises:
        SpoolError: it cannot be opened.
    """

    def __init__(self, path: Path, limit: int, age: float) -> None:
        self._path, self._limit, self._age = path, limit, age
        self.damaged = 0
        self._synchronized = -SYNC_S
        self._absent: set[int] = set()
        """What there is none of, so that it is not looked for."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(f"{path}: cannot be made ({error.strerror})") from error
        self._open()

    def append(self, messages: Sequence[Waiting]) -> list[tuple[int, str]]:
        """Keep messages, in one commit, and make room for them.

        Returns:
            id and topic of what was dropped for it: too old, or the oldest of what is worth least.

        Raises:
            SpoolError: nothing was kept.
        """
        now = time.monotonic()
        sync = now - self._synchronized >= SYNC_S or any(message.worth == MOST for message in messages)
        kept = now - self._began
        with self._changing(sync):
            for message in messages:
                self._absent.discard(message.worth)
                content = zlib.compress(message.topic.encode() + b"\n" + message.payload)
                row = (message.id, message.worth, kept, zlib.crc32(content), content)
                self._connection.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?)", row)
            old = self._drop_old(kept - self._age)
            dropped = old + self._make_room()
        self.waiting += len(messages) - len(dropped)
        if sync:
            self._synchronized = now
        return dropped

    def remove(self, ids: Iterable[int]) -> None:
        """Forget messages, in one commit.

        Raises:
            SpoolError: they are still there.
        """
        with self._changing(sync=False):
            deleted = self._connection.executemany(
                "DELETE FROM waiting WHERE id = ?", [(number,) for number in ids]
            )
        self.waiting -= deleted.rowcount

    def after(self, last: int, count: int) -> tuple[list[Waiting], list[int]]:
        """Return up to ``count`` messages behind the id ``last``, oldest first, and ids of garbled ones.

        Raises:
            SpoolError: the disk does not give them.
        """
        with self._told():
            rows = self._connection.execute(
                "SELECT id, worth, crc, message FROM waiting WHERE id > ? ORDER BY id LIMIT ?", (last, count)
            ).fetchall()
        whole, garbled = [], []
        for number, worth, crc, content in rows:
            message = _unpacked(content)
            if message is None or zlib.crc32(content) != crc:
                garbled.append(number)
            else:
                whole.append(Waiting(number, message[0], worth, message[1]))
        return whole, garbled

    @property
    def last(self) -> int:
        """The highest id, 0 when nothing waits."""
        with self._told():
            return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM waiting").fetchone()[0])

    @property
    def size(self) -> int:
        """Bytes in use in the file."""
        with self._told():
            (pages,), (free,) = (
                self._connection.execute(f"PRAGMA {name}").fetchone()
                for name in ("page_count", "freelist_count")
            )
        return int(pages - free) * self._page_size

    def close(self) -> None:
        """Bring the log into the file and close it."""
        with contextlib.suppress(sqlite3.Error):  # what is committed is in the log as well
            self._connection.close()

    def _open(self) -> None:
        """Open the file, and put it aside when it is damaged."""
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            if any(reason in str(error) for reason in DISK):
                raise SpoolError(f"{self._path}: cannot be used ({error})") from error
            self._put_aside(error)

    def _connect(self) -> None:
        self._connection = sqlite3.connect(
            self._path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            execute = self._connection.execute
            execute("PRAGMA locking_mode = EXCLUSIVE")  # two agents on one spool would send everything twice
            execute("PRAGMA journal_mode = WAL")
            execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            (found,) = execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            execute(_SCHEMA)
            self._page_size = int(execute("PRAGMA page_size").fetchone()[0])
            newest = execute("SELECT CAST(kept AS REAL) FROM waiting ORDER BY id DESC LIMIT 1").fetchone()
            self._began = time.monotonic() - (newest[0] or 0.0 if newest else 0.0)
            (self.waiting,) = execute("SELECT count(*) FROM waiting").fetchone()
        except BaseException:
            self._connection.close()
            raise

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        """Begin a new file; the damaged one, and only the last such, is kept for whoever wants to look."""
        self.damaged += 1
        aside = damaged_name(self._path)
        logger.error("%s: damaged (%s); put aside as %s, a new one is begun", self._path, error, aside.name)
        self._synchronized = -SYNC_S
        try:
            self._path.replace(aside)
            for log in (f"{self._path}-wal", f"{self._path}-shm"):
                Path(log).unlink(missing_ok=True)
            self._connect()
        except (OSError, sqlite3.Error) as another:
            raise SpoolError(f"{self._path}: cannot be made anew ({another})") from another

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn errors of the disk into :class:`SpoolError`; a damaged file is put aside as well."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if any(reason in str(error) for reason in DISK):
                raise SpoolError(f"{self._path}: {error}") from error
            self.close()
            self._put_aside(error)
            raise SpoolError(f"{self._path}: was damaged ({error})") from error

    @contextlib.contextmanager
    def _changing(self, sync: bool) -> Iterator[None]:
        """One transaction; with ``sync`` it and all before it are on the disk afterwards."""
        with self._told():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    def _drop_old(self, before: float) -> list[tuple[int, str]]:
        """Drop what was kept before a time of running; what is old is in front."""
        dropped: list[tuple[int, str]] = []
        while rows := self._connection.execute(
            "SELECT id, message FROM (SELECT * FROM waiting ORDER BY id LIMIT ?) WHERE kept < ?",
            (BATCH, before),
        ).fetchall():
            dropped += self._drop(rows)
        return dropped

    def _make_room(self) -> list[tuple[int, str]]:
        """Drop the oldest of the least worth until the file is small enough."""
        dropped: list[tuple[int, str]] = []
        for worth in range(LEAST, MOST + 1):
            while worth not in self._absent and self.size > self._limit:
                rows = self._connection.execute(
                    "SELECT id, message FROM waiting WHERE worth = ? ORDER BY id LIMIT ?", (worth, BATCH)
                ).fetchall()
                dropped += self._drop(rows)
                if len(rows) < BATCH:
                    self._absent.add(worth)
        return dropped

    def _drop(self, rows: Sequence[tuple[int, object]]) -> list[tuple[int, str]]:
        self._connection.executemany("DELETE FROM waiting WHERE id = ?", [(number,) for number, _ in rows])
        unpacked = [(number, _unpacked(content)) for number, content in rows]
        return [(number, message[0] if message else "unknown") for number, message in unpacked]


def damaged_name(path: Path) -> Path:
    """Return where a damaged spool is put aside."""
    return path.with_name(f"{path.name}.damaged")


def _unpacked(content: Any) -> tuple[str, bytes] | None:
    """Return topic and payload of a row's message, None of a garbled one."""
    try:
        topic, _, payload = zlib.decompress(content).partition(b"\n")
        return topic.decode(), payload
    except (TypeError, ValueError, zlib.error):
        return None
