"""Repository of the publisher: edits are collected, signed together, and served all at once.

The workflow of TUF (https://theupdateframework.github.io/specification/latest/) on
:class:`tuf.repository.Repository`: an edit makes the next version of a role; :meth:`Publication.publish`
signs the edited roles, then snapshot and timestamp. Files are written durably in this order: targets,
metadata of targets and channels, snapshot, timestamp. The timestamp switches: before it is written clients
see the old state, which names none of the new files. A new root is written last, as metadata signed with the
old keys verifies until then; when the old keys are lost it is written first.

Metadata with too few signatures waits in ``staged/``, for other key holders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from securesystemslib.signer import Key
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
    VerificationResult,
)
from tuf.repository import Repository

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.files.atomic import write_state
from edgeagent.publisher.audit import (
    PENDING,
    AuditedOperation,
    add_pending,
    append_entry,
    audited_operation,
    current_user,
    read_pending,
)
from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.places import STAGED, place_target
from edgeagent.publisher.served import Served, read_staged
from edgeagent.publisher.signatures import Delegator, delegated_keys, is_delegated, valid_signers, verifies
from edgeagent.publisher.signers import PublisherConfig, Signers

_ONLINE = (Snapshot.type, Timestamp.type)


class Publication(Repository):
    """Change of the repository, from reading the served state to serving the next one.

    Args:
        folder: of the publisher, see :mod:`edgeagent.publisher`; locked by the caller.
        config: expiry of signatures.
        signers: private keys.
        now: returns the time, UTC.

    Attributes:
        served: metadata that clients see.
        who: user and host, for the audit log.

    Raises:
        PublishError: metadata in the folder are damaged.
    """

    def __init__(
        self, folder: Path, config: PublisherConfig, signers: Signers, now: Callable[[], datetime] = utcnow
    ) -> None:
        self.folder, self.config, self.signers, self._now = folder, config, signers, now
        self.served = Served(folder)
        self._new: dict[str, Metadata[Any]] = {}
        self._touched: set[str] = set()
        self._failures: list[SigningKeyError] = []
        self._placed: list[Path] = []
        self.who = current_user()
        self._described = ("change", "")
        self._read_staged()

    def open(self, role: str) -> Metadata[Any]:
        """Return the edited metadata of a role, else a copy of the served metadata."""
        if role in self._new:
            return self._new[role]
        return self.served.metadata(role) or Metadata(self._first(role))

    def close(self, role: str, md: Metadata[Any]) -> None:
        """Keep the edited metadata of a role: next version, new expiry, no signatures yet."""
        served = self.served.metadata(role)
        md.signed.version = served.signed.version + 1 if served else 1
        md.signed.expires = self._now() + timedelta(days=self.config.days(role))
        md.signatures.clear()
        self._new[role] = md
        self._touched.add(role)
        if role in _ONLINE:
            self._sign(role)

    @property
    def targets_infos(self) -> dict[str, MetaFile]:
        """Version, length and hash of the metadata of targets and channels."""
        infos = self.served.targets_infos()
        for role, md in self._new.items():
            if isinstance(md.signed, Targets):
                infos[f"{role}.json"] = _meta_file(md)
        return infos

    @property
    def snapshot_info(self) -> MetaFile:
        """Version, length and hash of the snapshot."""
        if Snapshot.type in self._new:
            return _meta_file(self._new[Snapshot.type])
        info = self.served.snapshot_info()
        if info is None:
            raise PublishError(f"{self.folder}: has no snapshot yet")
        return info

    @property
    def staged(self) -> Mapping[str, Metadata[Any]]:
        """Metadata that waits for signatures, by role."""
        return dict(self._new)

    def place(self, path: str, source: BinaryIO) -> TargetFile:
        """Copy a target into the served folder, where no metadata name it before :meth:`publish`.

        Args:
            path: target path.
            source: file that is open for reading.
        """
        target, new = place_target(self.folder, path, source)
        if new is not None:
            self._placed.append(new)
        return target

    def discard(self) -> None:
        """Remove the targets that were placed."""
        for path in self._placed:
            path.unlink(missing_ok=True)

    def keys(self, role: str) -> list[Key]:
        """Return the keys that may sign a role, by the served and by the new metadata."""
        return delegated_keys(self._delegators(role), role)

    def signed_by(self, role: str) -> set[str]:
        """Return the ids of the keys with a valid signature of a staged role."""
        return valid_signers(self._delegators(role), role, self._new[role])

    def add_signatures(self, role: str) -> int:
        """Sign the staged metadata of a role with the keys here, and return the number of new signatures.

        Raises:
            PublishError: nothing is staged for the role.
            SigningKeyError: a key that is configured here cannot be used.
        """
        if role not in self._new:
            raise PublishError(f"{role}: nothing waits for signatures; see `edgeagent publish status`")
        before = len(self._new[role].signatures)
        self._sign(role)
        added = len(self._new[role].signatures) - before
        if self._failures and not added:
            raise self._failures[0]
        return added

    def touch(self, role: str) -> None:
        """Make a new version of a role with the same content: signed anew, with a new expiry."""
        with self.edit(role):
            pass

    def renew(self, role: str) -> None:
        """Make a new version of a served role, with a new expiry.

        Raises:
            PublishError: no such role is served.
        """
        if self.served.version(role) is None:
            raise PublishError(f"{role}: is neither a role nor a channel that is served")
        self.touch(role)

    def merge(self, role: str, other: Metadata[Any]) -> None:
        """Merge metadata from another key holder: a new version, or more signatures of the staged one.

        Raises:
            PublishError: its version does not follow the served or staged one.
        """
        mine = self._new.get(role)
        if mine is not None and mine.signed_bytes == other.signed_bytes:
            mine.signatures.update(other.signatures)
            return
        served = self.served.metadata(role)
        next_version = served.signed.version + 1 if served else 1
        if mine is not None or other.signed.version != next_version:
            raise PublishError(
                f"{role}: version {other.signed.version} does not follow what is here; begin again from a "
                "new copy of the repository"
            )
        self._new[role] = other

    def missing(self, role: str) -> list[VerificationResult]:
        """Return the verification results of a staged role that lack signatures; none if it is complete."""
        md, view = self._new[role], self.open(Root.type).signed
        if role == Root.type:
            previous = self.served.metadata(Root.type)
            both = view.get_root_verification_result(
                previous.signed if previous else None, md.signed_bytes, md.signatures
            )
            results = [both.first, both.second] if previous else [both.first]
        else:
            delegator = view if role in TOP_LEVEL_ROLE_NAMES else self.open(Targets.type).signed
            if not is_delegated(delegator, role):
                raise PublishError(f"{role}: is no channel; delegate it first")
            results = [delegator.get_verification_result(role, md.signed_bytes, md.signatures)]
        return [result for result in results if not result.verified]

    def describe(self, action: str, what: str) -> None:
        """Say what is being done and to what, for the audit log; without it the entry says ``change``."""
        self._described = (action, what)

    def publish(self, *, refresh: bool = False) -> bool:
        """Add an entry to the audit log of each edited role, sign the edited roles, and serve them.

        Args:
            refresh: whether to make a new timestamp even if nothing else is new.

        Returns:
            Whether everything is served; False where metadata wait in ``staged/`` for signatures.

        Raises:
            SigningKeyError: a key that is configured here cannot be used, and is needed.
            EdgeagentError: the disk is full or fails. In both cases the served state is as it was.
        """
        audited = self._add_audit_entries()
        for role in sorted(self._touched - set(_ONLINE)):
            self._sign(role)
        everything = dict(self._new)
        waiting = self._set_aside_unsigned()
        problem: str | None = Root.type
        if self.served.metadata(Root.type) or Root.type in self._new:
            self.do_snapshot(force=refresh and self._snapshot_is_old())
            self.do_timestamp(force=refresh)
            problem = self._first_unverified()
        complete = not waiting and problem is None
        if self._failures and not complete:
            raise self._failures[0]
        if not audited:
            add_pending(self.folder, self._operation())
        if problem is not None:
            waiting = everything
        else:
            self._serve()
        self._stage(waiting)
        if audited:
            (self.folder / PENDING).unlink(missing_ok=True)
        return complete

    def _operation(self) -> AuditedOperation:
        return audited_operation(self._now(), self.who, *self._described)

    def _add_audit_entries(self) -> bool:
        """Add an entry to the log of each edited role that has one; return whether there is any."""
        roles = [role for role in sorted(self._touched) if isinstance(self._new[role].signed, Targets)]
        pending = read_pending(self.folder) if roles else ()
        for role in roles:
            keys = tuple(key.keyid for key in self.keys(role) if self.signers.uri(key) is not None)
            with self.edit_targets(role) as targets:
                append_entry(self, role, targets, self._operation(), keys, pending)
        return bool(roles)

    def _first(self, role: str) -> Signed:
        if role == Root.type:
            return Root(consistent_snapshot=True)
        if role == Snapshot.type:
            return Snapshot(meta={})
        return Timestamp(snapshot_meta=self.snapshot_info) if role == Timestamp.type else Targets()

    def _delegators(self, role: str) -> list[Delegator]:
        name = Root.type if role in TOP_LEVEL_ROLE_NAMES else Targets.type
        found = [self.served.metadata(name), self._new.get(name)]
        return [md.signed for md in found if md is not None]

    def _sign(self, role: str) -> None:
        md = self._new[role]
        for key in self.keys(role):
            try:
                signer = self.signers.get(key, role)
                if signer is not None:
                    md.sign(signer, append=True)
            except SigningKeyError as error:
                self._failures.append(error)
            except UnsignedMetadataError as error:
                self._failures.append(
                    SigningKeyError(f"{role}: the key does not sign ({error.__cause__ or error})")
                )

    def _set_aside_unsigned(self) -> dict[str, Metadata[Any]]:
        """Keep in ``_new`` the roles with enough signatures, root first, channels last; return the rest."""
        waiting: dict[str, Metadata[Any]] = {}
        for role in (Root.type, Targets.type, *sorted(set(self._new) - TOP_LEVEL_ROLE_NAMES)):
            if role in self._new and (self._lacks_delegation(role) or self.missing(role)):
                waiting[role] = self._new.pop(role)
        return waiting

    def _lacks_delegation(self, role: str) -> bool:
        if role == Root.type:
            return False
        delegator = self.open(Root.type if role in TOP_LEVEL_ROLE_NAMES else Targets.type).signed
        return not is_delegated(delegator, role)

    def _snapshot_is_old(self) -> bool:
        left: timedelta = self.open(Snapshot.type).signed.expires - self._now()
        return left < timedelta(days=self.config.days(Snapshot.type)) / 2

    def _first_unverified(self) -> str | None:
        """Return the first role that clients would refuse in the new state; None if they accept all."""
        root = self.open(Root.type).signed
        infos = self.targets_infos
        for role in (Timestamp.type, Snapshot.type, *(name.removesuffix(".json") for name in infos)):
            delegator = root if role in TOP_LEVEL_ROLE_NAMES else self.open(Targets.type).signed
            if not verifies(delegator, role, self.open(role)):
                return role
        return None if f"{Targets.type}.json" in infos else Targets.type

    def _serve(self) -> None:
        order = [role for role in self._new if role not in (*_ONLINE, Root.type)]
        order += [role for role in _ONLINE if role in self._new]
        if Root.type in self._new:
            old = self.served.metadata(Root.type)
            known = old is not None and all(
                verifies(old.signed, role, self.open(role)) for role in (Targets.type, *_ONLINE)
            )
            order = [*order, Root.type] if known else [Root.type, *order]
        for role in order:
            write_state(
                self.served.path(role, self._new[role].signed.version),
                self._new[role].to_bytes(),
                shared=True,
            )
        self._touched.clear()

    def _stage(self, waiting: Mapping[str, Metadata[Any]]) -> None:
        for role, md in waiting.items():
            write_state(self._staged_path(role), md.to_bytes(), shared=True)
        for role in set(self._new) - set(waiting):
            self._staged_path(role).unlink(missing_ok=True)
        self._new = dict(waiting)

    def _staged_path(self, role: str) -> Path:
        return self.folder / STAGED / f"{role}.json"

    def _read_staged(self) -> None:
        for role, md in read_staged(self.folder).items():
            served = self.served.metadata(role)
            if served is not None and md.signed.version <= served.signed.version:
                self._staged_path(role).unlink(missing_ok=True)  # it was published meanwhile
            else:
                self._new[role] = md


def _meta_file(md: Metadata[Any]) -> MetaFile:
    return MetaFile.from_data(md.signed.version, md.to_bytes(), ["sha256"])
