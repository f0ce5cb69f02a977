"""Handover from other key holders: signatures and releases from their copy of the folder are merged.

They work on a copy of the publisher's folder without its private keys, and hand it back: metadata in
``staged/``, new targets in ``repository/targets/``. Only content with a valid signature is accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Metadata, Root, TargetFile, Targets

from edgeagent.publisher.audit import entry_file, entry_path, head_of
from edgeagent.publisher.audit_chain import walk_log
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import served_path
from edgeagent.publisher.release import read_index
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.served import Served, read_metadata, read_staged


def accept(publication: Publication, other: Path) -> list[str]:
    """Merge the newer metadata of another folder, and return the roles.

    Args:
        publication: to change; nothing is served before it is published.
        other: folder that was handed over.

    Raises:
        PublishError: there is nothing new, a signature is missing or invalid, a version does not follow the
            one here, or a target is missing, damaged or outside the channel.
    """
    offered = {**_newer(publication, other), **read_staged(other)}
    if not offered:
        raise PublishError(f"{other}: holds nothing new to accept")
    order = sorted(offered, key=lambda role: (role not in TOP_LEVEL_ROLE_NAMES, role != Root.type, role))
    for role in order:
        publication.merge(role, offered[role])
        if not publication.signed_by(role):
            raise PublishError(f"{other}: the staged {role} has no valid signature of a key that may sign it")
        if role not in TOP_LEVEL_ROLE_NAMES:
            _take_targets(publication, role, offered[role], other)
        if isinstance(offered[role].signed, Targets):
            _take_log(publication, role, offered[role].signed, other)
    return order


def _newer(publication: Publication, other: Path) -> dict[str, Metadata[Any]]:
    """Return the metadata that the other folder serves already, and this one does not."""
    served = Served(other)
    found = {}
    for role in (Root.type, Targets.type, *served.channels()):
        mine, theirs = publication.served.version(role) or 0, served.version(role) or 0
        if theirs > mine:
            found[role] = read_metadata(served.path(role, mine + 1 if role == Root.type else theirs))
    return found


def _take_targets(publication: Publication, channel: str, md: Metadata[Any], other: Path) -> None:
    signed: Targets = md.signed
    for path, target in signed.targets.items():
        if not path.startswith(f"{channel}/"):
            raise PublishError(f"{other}: the channel {channel} may not hold {path}")
        if not _is_here(publication.folder, target):
            source = served_path(other, target)
            _check(source, target)
            with source.open("rb") as file:
                publication.place(path, file)
    _check_index(publication, channel, signed, other)


def _take_log(publication: Publication, role: str, signed: Targets, other: Path) -> None:
    """Copy the entries of the audit log that are not here; the log must continue the one here."""
    here = publication.served.metadata(role)
    known, head = head_of(here.signed.targets, role) if here else None, head_of(signed.targets, role)
    passed = known is None
    for item in walk_log(other, role, head):
        if isinstance(item, str):
            raise PublishError(f"{other}: audit log: {item}")
        if item.sha256 == known:
            passed = True
            break
        with entry_file(other, role, item.sha256).open("rb") as file:
            publication.place(entry_path(role), file)
    if not passed:
        raise PublishError(
            f"{other}: the audit log of {role} does not continue the one here; nothing is accepted"
        )


def _check_index(publication: Publication, channel: str, signed: Targets, other: Path) -> None:
    index = read_index(publication, channel)
    if index.channel != channel:
        raise PublishError(f"{other}: the index of the channel {channel} is that of {index.channel}")
    sequences = [release.sequence for release in index.releases]
    if sequences != sorted(set(sequences)):
        raise PublishError(f"{other}: the releases of the channel {channel} are not in order")
    for release in index.releases:
        for file in release.files:
            if release.target(channel, file) not in signed.targets:
                raise PublishError(f"{other}: {release.target(channel, file)} is offered, but is no target")
    numbers = [one.sequence for one in index.configurations]
    if numbers != sorted(set(numbers)):
        raise PublishError(f"{other}: the configurations of the channel {channel} are not in order")
    for one in index.configurations:
        if one.target(channel) not in signed.targets:
            raise PublishError(f"{other}: {one.target(channel)} is offered, but is no target")


def _is_here(folder: Path, target: TargetFile) -> bool:
    path = served_path(folder, target)
    return path.exists() and path.stat().st_size == target.length


def _check(path: Path, target: TargetFile) -> None:
    try:
        with path.open("rb") as file:
            target.verify_length_and_hashes(file)
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror}); hand the whole folder over") from None
    except LengthOrHashMismatchError:
        raise PublishError(f"{path}: is not what was signed; hand the folder over again") from None
