"""Verification of audit logs: their chains, the history of signed metadata, and a copy that somebody kept.

What a chain alone cannot show: whoever has the key of a role can sign another chain. Old metadata of the
repository, or a copy kept elsewhere, hold the hashes of entries that must still be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from tuf.api.metadata import Metadata, Root, Targets

from edgeagent.files.state_json import DamagedJsonError, parse_json
from edgeagent.publisher.audit import AuditEntry, head_of
from edgeagent.publisher.audit_chain import AuditLog, LoggedEntry, audited_roles, read_log
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.served import Served, read_metadata
from edgeagent.publisher.signatures import Delegator, verifies

_HASH = 64


class KeptEntry(AuditEntry):
    """Entry in a document of ``publish audit --json``, with its hash."""

    sha256: str


class KeptLogs(BaseModel):
    """What a kept document must hold: the logs by role."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    logs: dict[str, tuple[KeptEntry, ...]]


def check_audit(folder: Path, since: Sequence[str] = ()) -> tuple[list[AuditLog], list[str]]:
    """Verify the logs of a publisher's folder.

    Args:
        folder: of the publisher, or a copy with its ``repository``.
        since: kept documents of ``publish audit --json``, or SHA-256 of entries.

    Returns:
        The logs, and all problems in words; none where everything verifies.

    Raises:
        PublishError: the folder is none of a publisher, or a kept document cannot be read.
    """
    roles = audited_roles(folder)
    logs = [read_log(folder, role, head_of(targets.targets, role)) for role, targets in roles.items()]
    problems = [problem for log in logs for problem in log.problems]
    history = _History(folder)
    for log in logs:
        if not log.problems:  # what a broken chain lacks is told already
            problems += history.check(log)
    for kept in since:
        problems += _check_kept(kept, logs)
    return [log for log in logs if log.entries or log.problems], problems


class _History:
    """Metadata of a repository from its beginning; the publisher never removes any."""

    def __init__(self, folder: Path) -> None:
        self._served = Served(folder)
        self._delegators: dict[str, list[Delegator]] = {
            role: [md.signed for _, md in self._versions(role)] for role in (Root.type, Targets.type)
        }

    def check(self, log: AuditLog) -> Iterator[str]:
        """Yield what old metadata of a role say against its log."""
        role, last, begun = log.role, 0, False
        for version, md in self._versions(role):
            where = f"{role}: version {version} of the metadata"
            if not any(verifies(one, role, md) for one in self._signers(role)):
                yield f"{where} has no valid signatures of keys that this repository ever named for it"
                continue
            head = head_of(md.signed.targets, role)
            if head is None:
                if begun:
                    yield f"{where} has no log any more, the one before it has: the log was removed"
                continue
            if not log.entries:
                yield f"{where} has a log, and the newest metadata have none: the log was removed"
                return
            begun, found = True, log.find(head)
            if found is None:
                yield (
                    f"{where} was signed with an entry that the log does not have any more: the log was cut "
                    "or written again after it"
                )
                return
            if found.entry.sequence == last:
                yield f"{where} was published without an entry: number {last} is still the newest"
            elif found.entry.sequence < last:
                yield f"{where} goes back from number {last} to {found.entry.sequence}: their order changed"
            last = found.entry.sequence

    def _signers(self, role: str) -> list[Delegator]:
        return self._delegators[Root.type if role == Targets.type else Targets.type]

    def _versions(self, role: str) -> Iterator[tuple[int, Metadata[Any]]]:
        for version in range(1, (self._served.version(role) or 0) + 1):
            path = self._served.path(role, version)
            if path.exists():
                yield version, read_metadata(path)


def _check_kept(kept: str, logs: Sequence[AuditLog]) -> Iterator[str]:
    """Yield how the logs differ from what somebody kept."""
    if len(kept) == _HASH and set(kept) <= set("0123456789abcdef"):
        if not any(log.find(kept) for log in logs):
            yield f"{kept}: no log has this entry any more: it was cut or written again"
        return
    by_role = {log.role: log for log in logs}
    for role, entries in _read_kept(Path(kept)).items():
        log = by_role.get(role, AuditLog(role))
        for entry in entries:
            problem = _difference(entry, log)
            if problem is not None:
                yield f"{kept}: {role}: {problem}"
                break


def _difference(kept: KeptEntry, log: AuditLog) -> str | None:
    same = log.find(kept.sha256)
    if same is not None and same.entry.sequence == kept.sequence:
        return None
    if same is not None:
        now = same.entry.sequence
        return f"number {kept.sequence} of the kept copy is number {now} now: the order was changed"
    place: LoggedEntry | None = next(
        (one for one in log.entries if one.entry.sequence == kept.sequence), None
    )
    if place is None:
        return f"number {kept.sequence} of the kept copy is gone: the log was cut"
    return (
        f"number {kept.sequence} of the kept copy was {kept.action} {kept.object!r}, and is "
        f"{place.entry.action} {place.entry.object!r} now: it was changed"
    )


def _read_kept(path: Path) -> dict[str, tuple[KeptEntry, ...]]:
    try:
        return parse_json(path.read_bytes(), KeptLogs).logs
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except DamagedJsonError as error:
        raise PublishError(
            f"{path}: is no document of `edgeagent publish audit --json` and no SHA-256 ({error})"
        ) from None
