"""Audit log: who changed what in the repository, as a chain of entries that its signed metadata hold.

Each role that lists targets (every channel, and ``targets``) has a log. Its newest entry is a target of the
role, ``CHANNEL/audit.json`` or ``audit.json``, so signed metadata hold its hash; it holds the hash of the
entry before it, and so on. Served files have their hash in their names and stay, so the whole chain is there;
no entry can be changed, left out or moved without another hash in the signed metadata.

An operation that signs no such role, such as a refresh with the online keys, waits in ``audit-pending.json``
and becomes part of the next entry; until then nothing signs it.
"""

from __future__ import annotations

import getpass
import io
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt
from tuf.api.metadata import TargetFile, Targets

from edgeagent.bundle.section import Sha256
from edgeagent.files.atomic import write_state
from edgeagent.files.naming import shortened
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import served_path, targets_folder

ENTRY = "audit.json"
PENDING = "audit-pending.json"
_LONGEST = 500


class AuditedOperation(BaseModel):
    """Operation of a publisher.

    Attributes:
        time: when it was done; of a repeated one, the last time.
        who: user and host, or what ``--as`` said; nobody verifies it.
        action: such as ``add`` or ``withdraw``.
        object: what it was done to.
        times: how often, in a row.
        first: time of the first one; None for a single one.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    time: AwareDatetime
    who: str
    action: str
    object: str
    times: PositiveInt = 1
    first: AwareDatetime | None = None

    def repeats(self, other: AuditedOperation) -> bool:
        """Return whether another operation is the same by the same person."""
        return (self.who, self.action, self.object) == (other.who, other.action, other.object)


class AuditEntry(AuditedOperation):
    """Entry of a log.

    Attributes:
        role: channel, or ``targets``.
        sequence: number in its log, from 1.
        keys: ids of the keys that sign the role and were at hand.
        previous: SHA-256 of the entry before; None for the first.
        unsigned: earlier operations that signed no role with a log.
    """

    schema_version: Literal[1] = 1
    role: str
    sequence: PositiveInt
    keys: tuple[str, ...] = ()
    previous: Sha256 | None = None
    unsigned: tuple[AuditedOperation, ...] = ()


class PendingOperations(BaseModel):
    """Content of ``audit-pending.json``."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal[1] = 1
    operations: tuple[AuditedOperation, ...] = ()


class TargetPlacer(Protocol):
    """Place of targets, such as a publication."""

    folder: Path

    def place(self, path: str, source: BinaryIO) -> TargetFile:
        """Copy a target into the served folder."""


def current_user() -> str:
    """Return ``USER@HOST``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def audited_operation(time: datetime, who: str, action: str, what: str) -> AuditedOperation:
    """Return an operation, with texts of limited length."""
    return AuditedOperation(
        time=time, who=shortened(who, 100), action=action, object=shortened(what, _LONGEST)
    )


def entry_path(role: str) -> str:
    """Return the target path of the newest entry of a role."""
    return ENTRY if role == Targets.type else f"{role}/{ENTRY}"


def entry_file(folder: Path, role: str, sha256: str) -> Path:
    """Return the served file of an entry."""
    parent, _, name = entry_path(role).rpartition("/")
    return targets_folder(folder) / parent / f"{sha256}.{name}"


def head_of(targets: Mapping[str, TargetFile], role: str) -> str | None:
    """Return the SHA-256 of the newest entry among the targets of a role; None without a log."""
    target = targets.get(entry_path(role))
    return None if target is None else target.hashes["sha256"]


def append_entry(
    place: TargetPlacer,
    role: str,
    targets: Targets,
    operation: AuditedOperation,
    keys: tuple[str, ...],
    unsigned: tuple[AuditedOperation, ...] = (),
) -> None:
    """Add an entry to the log of a role whose targets are edited.

    Args:
        place: publication that is edited.
        role: channel, or ``targets``.
        targets: of the role; its newest entry is replaced.
        operation: to record.
        keys: ids of the keys that will sign.
        unsigned: operations that no entry holds yet.

    Raises:
        PublishError: the newest entry is missing or damaged.
    """
    head, before = targets.targets.get(entry_path(role)), None
    if head is not None:
        path = served_path(place.folder, head)
        try:
            before = read_json(path, AuditEntry)
        except (OSError, DamagedJsonError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PublishError(f"{path}: entry of the audit log ({reason}); restore it from a copy") from None
    entry = AuditEntry(
        **operation.model_dump(),
        role=role,
        sequence=before.sequence + 1 if before else 1,
        keys=keys,
        previous=head.hashes["sha256"] if head else None,
        # of a publisher that was interrupted before it emptied the file of pending operations
        unsigned=tuple(one for one in unsigned if before is None or one not in before.unsigned),
    )
    content = (entry.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
    target = place.place(entry_path(role), io.BytesIO(content))
    targets.targets[target.path] = target


def read_pending(folder: Path) -> tuple[AuditedOperation, ...]:
    """Return the operations that no entry holds yet.

    Raises:
        PublishError: the file cannot be read, or is damaged.
    """
    path = folder / PENDING
    try:
        return read_json(path, PendingOperations).operations
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except DamagedJsonError as error:
        raise PublishError(f"{path}: {error}; restore it from a copy, or remove it") from None


def add_pending(folder: Path, operation: AuditedOperation) -> None:
    """Add an operation to those that no entry holds yet; one that repeats the last is counted there.

    Raises:
        EdgeagentError: the file cannot be written, or is damaged.
    """
    operations = read_pending(folder)
    if operations and operation.repeats(operations[-1]):
        last = operations[-1]
        update = {"times": last.times + 1, "first": last.first or last.time}
        operation, operations = operation.model_copy(update=update), operations[:-1]
    pending = PendingOperations(operations=(*operations, operation))
    content = pending.model_dump_json(indent=1, exclude_none=True) + "\n"
    write_state(folder / PENDING, content.encode(), shared=True)
