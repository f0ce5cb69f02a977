"""Audit: who did what, from where, and whether it was done; rows are added, never changed.

The oldest of more than :data:`KEPT_ROWS` rows are dropped, so that failed sign-ins do not fill the disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.files.naming import shortened
from edgeagent.fleet.users.actor import ALL_TENANTS, Actor
from edgeagent.fleet.users.user_file import UserFile

KEPT_ROWS, TRIM_EVERY = 1_000_000, 1000
COLUMNS = ("id", "time", "who", "address", "tenant", "action", "object", "done", "detail")
LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One thing that was done, or refused.

    Attributes:
        id: number of the row, ascending.
        time: seconds since 1970.
        who, address: name, and address of the client; "" on the command line.
        tenant: of whoever did it.
        action: such as ``sign-in`` or ``acknowledge``.
        object: what it was done to.
        done: whether it was done; False where it was refused.
        detail: more, for people.
    """

    id: int
    time: float
    who: str
    address: str
    tenant: str
    action: str
    object: str
    done: bool
    detail: str


class UserAudit:
    """Keeper of the audit; thread-safe.

    Args:
        file: that it is in.
        clock: returns seconds since 1970.
    """

    def __init__(self, file: UserFile, clock: Callable[[], float] = time.time) -> None:
        self._file, self._clock = file, clock

    def note(
        self, actor: Actor, action: str, target: str, address: str = "", done: bool = True, detail: str = ""
    ) -> None:
        """Add a row; it is on the disk when this returns.

        Args:
            actor: who does it.
            action: what.
            target: to what.
            address: of the client.
            done: False where it is refused.
            detail: more, for people.

        Raises:
            ConfigurationError: it cannot be written; the action must not be done.
        """
        texts = [shortened(one, LONGEST_TEXT) for one in (actor.name, address, actor.tenant, action, target)]
        who, where, tenant, what, object_ = texts
        self._file.write(
            "INSERT INTO audit (time, who, address, tenant, action, object, done, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._clock(), who, where, tenant, what, object_, int(done), shortened(detail, LONGEST_TEXT)),
        )
        newest = int(self._file.read("SELECT max(id) FROM audit")[0][0])
        if newest % TRIM_EVERY == 0:
            self._file.write("DELETE FROM audit WHERE id <= ?", (newest - KEPT_ROWS,))

    def rows(self, tenant: str, most: int, before: int | None = None, search: str = "") -> list[AuditRow]:
        """Return rows, newest first.

        Args:
            tenant: whose rows; :data:`~edgeagent.fleet.users.actor.ALL_TENANTS` for all.
            most: number of rows.
            before: only rows with a smaller number; None begins with the newest.
            search: text that user, action or object contain.
        """
        found = self._file.read(
            "SELECT id, time, who, address, tenant, action, object, done, detail FROM audit"
            " WHERE (? = ? OR tenant = ?) AND (? IS NULL OR id < ?)"
            " AND (? = '' OR instr(lower(who || ' ' || action || ' ' || object), lower(?)))"
            " ORDER BY id DESC LIMIT ?",
            (tenant, ALL_TENANTS, tenant, before, before, search, search, most),
        )
        return [AuditRow(**{**dict(zip(COLUMNS, row, strict=True)), "done": bool(row[7])}) for row in found]
