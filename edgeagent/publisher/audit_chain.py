"""Reading of the audit logs of a repository, from the newest entry of each role back to its first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tuf.api.metadata import Targets

from edgeagent.files.state_json import DamagedJsonError, parse_json
from edgeagent.publisher.audit import AuditEntry, entry_file, head_of
from edgeagent.publisher.opening import check_folder
from edgeagent.publisher.served import Served


@dataclass(frozen=True)
class LoggedEntry:
    """Entry with the hash that names it."""

    sha256: str
    entry: AuditEntry


@dataclass(frozen=True)
class AuditLog:
    """Log of a role.

    Attributes:
        role: channel, or ``targets``.
        entries: the oldest first; those before a problem are missing.
        problems: what is wrong with the chain, in words.
    """

    role: str
    entries: tuple[LoggedEntry, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def find(self, sha256: str) -> LoggedEntry | None:
        """Return the entry with a hash; None without one."""
        return next((one for one in self.entries if one.sha256 == sha256), None)


def audited_roles(folder: Path) -> dict[str, Targets]:
    """Return the served targets of every role that may have a log.

    Raises:
        PublishError: the folder is none of a publisher, or metadata are damaged.
    """
    check_folder(folder)
    served = Served(folder)
    found = {Targets.type: served.metadata(Targets.type), **served.channels()}
    return {role: md.signed for role, md in found.items() if md is not None}


def read_log(folder: Path, role: str, head: str | None) -> AuditLog:
    """Return the log of a role, verified from its newest entry on.

    Args:
        folder: of the publisher.
        role: channel, or ``targets``.
        head: SHA-256 of the newest entry, of signed metadata; None without a log.
    """
    entries: list[LoggedEntry] = []
    problems: list[str] = []
    for item in walk_log(folder, role, head):
        if isinstance(item, str):
            problems.append(item)
        else:
            entries.append(item)
    return AuditLog(role, tuple(reversed(entries)), tuple(problems))


def read_logs(folder: Path) -> list[AuditLog]:
    """Return the logs of all roles that have one, ``targets`` first.

    Raises:
        PublishError: the folder is none of a publisher, or metadata are damaged.
    """
    heads = {role: head_of(targets.targets, role) for role, targets in audited_roles(folder).items()}
    return [read_log(folder, role, head) for role, head in heads.items() if head is not None]


def walk_log(folder: Path, role: str, head: str | None) -> Iterator[LoggedEntry | str]:
    """Yield the entries of a log, the newest first; a problem, as text, ends it."""
    after: AuditEntry | None = None
    while head is not None:
        place = f"{role}: the entry before number {after.sequence}" if after else f"{role}: the newest entry"
        path = entry_file(folder, role, head)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            yield f"{place} is missing: the log is cut off there; restore {path.name} from a copy"
            return
        except OSError as error:
            yield f"{place} cannot be read ({error.strerror})"
            return
        if hashlib.sha256(content).hexdigest() != head:
            yield f"{place} was changed: {path.name} is not what its hash says"
            return
        try:
            entry = parse_json(content, AuditEntry)
        except DamagedJsonError as error:
            yield f"{place} is no entry of a log ({error})"
            return
        problem = _misplaced(role, entry, after)
        if problem is not None:
            yield problem
            return
        yield LoggedEntry(head, entry)
        head, after = entry.previous, entry


def _misplaced(role: str, entry: AuditEntry, after: AuditEntry | None) -> str | None:
    """Return why an entry does not belong where it stands; None where it does."""
    if entry.role != role:
        return f"{role}: number {entry.sequence} is an entry of the log of {entry.role}"
    if after is not None and entry.sequence != after.sequence - 1:
        return (
            f"{role}: number {entry.sequence} stands before number {after.sequence}: entries are missing or "
            "in another order"
        )
    if entry.previous is None and entry.sequence != 1:
        return f"{role}: the log begins with number {entry.sequence}: the entries before it are cut off"
    return None
