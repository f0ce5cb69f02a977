"""Spool of unsent messages on the disk: SQLite in WAL mode, bounded by size and by age.

A commit is written to the write-ahead log and survives the end of the process (SQLite, "Write-Ahead
Logging"); a power cut loses at most the commits since the last synchronisation, 10 s. Every row carries its
CRC-32, as SQLite does not detect corrupted content. A file that cannot be read is renamed and counted, and
replaced by a new one.

The age of a message is the running time of the agent since, not a difference of wall clocks: a board without
a real-time clock starts in 1970, and clocks jump. Time with the board off does not count.

The spool is not thread-safe: one thread uses it.
"""

from __future__ import annotations

import contextlib
import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.telemetry.contract.streams import HIGHEST, LOWEST

try:
    import sqlite3
except ImportError:  # a Python that was built without SQLite
    sqlite3 = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

SPOOL = "spool.db"
"""File name in the agent's state folder."""
SYNC_S = 10.0  # longest time between two synchronisations, lost by a power cut
LOG_PAGES = 256  # of 4 KiB; a longer write-ahead log is merged into the file
LONGEST_S = 1e10  # running time of the agent, 300 years
BATCH = 32  # messages evicted at once

DISK = ("is locked", "disk is full", "readonly database", "unable to open", "disk I/O error")
"""Messages of errors that the disk or another program causes; every other error is a damaged file."""

DAMAGE = (*((sqlite3.Error,) if sqlite3 is not None else ()), UnicodeError, OverflowError)
"""Errors of a damaged file; the last two come of texts and numbers in it that Python cannot hold."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    id INTEGER PRIMARY KEY, worth INTEGER NOT NULL, kept REAL NOT NULL, crc INTEGER NOT NULL,
    message BLOB NOT NULL -- topic, line feed, payload; together compressed by zlib, to a third
)
"""
"""File format; ``worth`` is the priority, ``kept`` the running time of the agent in seconds."""


class SpoolError(EdgeagentError):
    """The disk refuses to write or read messages: it is full, read-only, or failing."""


@dataclass(frozen=True, slots=True)
class SpooledMessage:
    """Message in the spool.

    Attributes:
        id: number of the message, ascending in the order of publication.
        topic: topic below the device's prefix.
        priority: see :class:`edgeagent.telemetry.contract.streams.Stream`.
        payload: payload as published.
    """

    id: int
    topic: str
    priority: int
    payload: bytes


class Spool:
    """Spool of one device.

    Args:
        path: path of the file; its folder is created where it is missing.
        limit: largest size of the file in bytes, without its log of about 1 MB.
        age: running time of the agent in seconds after which a message is evicted.

    Attributes:
        damaged: number of unreadable files that were renamed since the construction.
        waiting: number of messages in the spool.

    Raises:
        SpoolError: the file cannot be opened.
    """

    def __init__(self, path: Path, limit: int, age: float) -> None:
        self._path, self._limit, self._age = path, limit, age
        self.damaged = 0
        self._synchronized = -SYNC_S
        self._absent: set[int] = set()
        """Priorities without a message, which eviction skips."""
        if sqlite3 is None:
            raise SpoolError(
                "telemetry.spool: this Python has no sqlite3; install one with SQLite, or give `spool: null`"
            )
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                path.touch(0o600)  # SQLite gives its log the same permissions
        except OSError as error:
            raise SpoolError(f"{path}: cannot be created ({error.strerror})") from error
        self._open()

    def append(self, messages: Sequence[SpooledMessage]) -> list[tuple[int, str]]:
        """Store messages in one commit, and evict others until the limits are met.

        Returns:
            ID and topic of each evicted message: the expired ones, then the oldest of the lowest priority.

        Raises:
            SpoolError: no message was stored.
        """
        now = time.monotonic()
        sync = now - self._synchronized >= SYNC_S or any(message.priority == HIGHEST for message in messages)
        running_s = now - self._began
        with self._transaction(sync):
            for message in messages:
                self._absent.discard(message.priority)
                content = zlib.compress(message.topic.encode() + b"\n" + message.payload)
                row = (message.id, message.priority, running_s, zlib.crc32(content), content)
                self._connection.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?)", row)
            evicted = self._evict_expired(running_s - self._age) + self._evict_over_limit()
        self.waiting += len(messages) - len(evicted)
        if sync:
            self._synchronized = now
        return evicted

    def remove(self, ids: Iterable[int]) -> None:
        """Delete messages in one commit.

        Raises:
            SpoolError: the messages are still in the spool.
        """
        with self._transaction(sync=False):
            deleted = self._connection.executemany(
                "DELETE FROM waiting WHERE id = ?", [(number,) for number in ids]
            )
        self.waiting -= deleted.rowcount

    def after(self, last: int, count: int) -> tuple[list[SpooledMessage], list[int]]:
        """Return up to ``count`` messages with an ID above ``last``, oldest first, and IDs of corrupted ones.

        Raises:
            SpoolError: the messages cannot be read.
        """
        with self._typed_errors():
            rows = self._connection.execute(
                "SELECT id, worth, crc, message FROM waiting WHERE id > ? ORDER BY id LIMIT ?", (last, count)
            ).fetchall()
        intact, corrupted = [], []
        for number, priority, crc, content in rows:
            message = _unpack(content)
            if message is None or zlib.crc32(content) != crc:
                corrupted.append(number)
            else:
                intact.append(SpooledMessage(number, message[0], priority, message[1]))
        return intact, corrupted

    @property
    def last(self) -> int:
        """Highest ID; 0 in an empty spool."""
        with self._typed_errors():
            return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM waiting").fetchone()[0])

    @property
    def size(self) -> int:
        """Bytes in use in the file."""
        with self._typed_errors():
            (pages,), (free,) = (
                self._connection.execute(f"PRAGMA {name}").fetchone()
                for name in ("page_count", "freelist_count")
            )
        return int(pages - free) * self._page_size

    def close(self) -> None:
        """Merge the write-ahead log into the file and close it."""
        with contextlib.suppress(sqlite3.Error):  # commits are in the log as well
            self._connection.close()

    def _open(self) -> None:
        """Open the file; rename it when it is damaged."""
        try:
            self._connect()
        except DAMAGE as error:
            if any(reason in str(error) for reason in DISK):
                raise SpoolError(f"{self._path}: cannot be used ({error})") from error
            self._replace_damaged(error)

    def _connect(self) -> None:
        self._connection = sqlite3.connect(
            self._path, timeout=1.0, isolation_level=None, check_same_thread=False
        )
        try:
            execute = self._connection.execute
            execute("PRAGMA locking_mode = EXCLUSIVE")  # two agents would send each message twice
            execute("PRAGMA journal_mode = WAL")
            execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            (found,) = execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            execute(_SCHEMA)
            self._page_size = int(execute("PRAGMA page_size").fetchone()[0])
            newest = execute("SELECT CAST(kept AS REAL) FROM waiting ORDER BY id DESC LIMIT 1").fetchone()
            running_s = newest[0] or 0.0 if newest else 0.0
            if not 0.0 <= running_s <= LONGEST_S:
                raise sqlite3.DatabaseError(f"a message that was stored after {running_s} s")
            self._began = time.monotonic() - running_s
            (self.waiting,) = execute("SELECT count(*) FROM waiting").fetchone()
        except BaseException:
            self._connection.close()
            raise

    def _replace_damaged(self, error: Exception) -> None:
        """Create a new file; the last damaged one is kept under another name for analysis."""
        self.damaged += 1
        aside = damaged_name(self._path)
        logger.error("%s: damaged (%s); renamed to %s, a new spool is created", self._path, error, aside.name)
        self._synchronized = -SYNC_S
        try:
            self._path.replace(aside)
            for log in (f"{self._path}-wal", f"{self._path}-shm"):
                Path(log).unlink(missing_ok=True)
            self._connect()
        except (OSError, *DAMAGE) as another:
            raise SpoolError(f"{self._path}: cannot be created again ({another})") from another

    @contextlib.contextmanager
    def _typed_errors(self) -> Iterator[None]:
        """Convert database errors into :class:`SpoolError`; a damaged file is replaced as well."""
        try:
            yield
        except DAMAGE as error:
            if any(reason in str(error) for reason in DISK):
                raise SpoolError(f"{self._path}: {error}") from error
            self.close()
            self._replace_damaged(error)
            raise SpoolError(f"{self._path}: was damaged ({error})") from error

    @contextlib.contextmanager
    def _transaction(self, sync: bool) -> Iterator[None]:
        """Run one transaction; with ``sync``, it and all earlier ones are on the disk afterwards."""
        with self._typed_errors():
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def _evict_expired(self, before: float) -> list[tuple[int, str]]:
        """Evict messages stored before a running time of the agent (s); IDs ascend with that time."""
        evicted: list[tuple[int, str]] = []
        while rows := self._connection.execute(
            "SELECT id, message FROM (SELECT * FROM waiting ORDER BY id LIMIT ?) WHERE kept < ?",
            (BATCH, before),
        ).fetchall():
            evicted += self._delete(rows)
        return evicted

    def _evict_over_limit(self) -> list[tuple[int, str]]:
        """Evict the oldest messages of the lowest priority until the file is within its limit."""
        evicted: list[tuple[int, str]] = []
        for priority in range(LOWEST, HIGHEST + 1):
            while priority not in self._absent and self.size > self._limit:
                rows = self._connection.execute(
                    "SELECT id, message FROM waiting WHERE worth = ? ORDER BY id LIMIT ?", (priority, BATCH)
                ).fetchall()
                evicted += self._delete(rows)
                if len(rows) < BATCH:
                    self._absent.add(priority)
        return evicted

    def _delete(self, rows: Sequence[tuple[int, object]]) -> list[tuple[int, str]]:
        self._connection.executemany("DELETE FROM waiting WHERE id = ?", [(number,) for number, _ in rows])
        unpacked = [(number, _unpack(content)) for number, content in rows]
        return [(number, message[0] if message else "unknown") for number, message in unpacked]


def damaged_name(path: Path) -> Path:
    """Return the path to which a damaged spool is renamed."""
    return path.with_name(f"{path.name}.damaged")


def _unpack(content: Any) -> tuple[str, bytes] | None:
    """Return topic and payload of a row's message; None where the content is corrupted."""
    try:
        topic, _, payload = zlib.decompress(content).partition(b"\n")
        return topic.decode(), payload
    except (TypeError, ValueError, zlib.error):
        return None
