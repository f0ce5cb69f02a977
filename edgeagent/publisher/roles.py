"""Keys of roles: initial keys, delegation of channels, and key rotation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key, SecretsHandler
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, DelegatedRole, Delegations, Metadata, Role, Root, Targets

from edgeagent.delivery.repository.clock import utcnow
from edgeagent.publisher.errors import PublishError, SigningKeyError
from edgeagent.publisher.keys import EncryptedFileSigner, import_key, new_key, read_public_key
from edgeagent.publisher.passphrase import Secrets
from edgeagent.publisher.places import locked, metadata_folder
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.signers import PublisherConfig, Signers, write_config

ROLES = ("root", "targets", "snapshot", "timestamp")
ONLINE_ROLES = ("snapshot", "timestamp")
"""Roles whose keys a timer uses; those of the others are kept off line."""
RESERVED = (*ROLES, "watch")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LEVELS = 5  # below the channel; a path pattern of TUF does not match a slash


@dataclass(frozen=True)
class KeyFolders:
    """Folders for the private keys that ``init`` makes.

    Attributes:
        offline: for root and targets, which are needed by people only.
        online: for snapshot and timestamp, which a timer uses every day.
    """

    offline: Path
    online: Path

    @classmethod
    def below(cls, folder: Path, offline: Path | None = None) -> KeyFolders:
        """Return ``FOLDER/online`` and ``FOLDER/offline``, or another folder for the offline keys."""
        return cls((offline or folder / "offline").absolute(), (folder / "online").absolute())

    def of(self, role: str) -> Path:
        """Return the folder for the keys of a role."""
        return self.online if role in ONLINE_ROLES else self.offline


def init(
    folder: Path,
    folders: KeyFolders,
    secrets: Secrets,
    given: Mapping[str, Sequence[str]],
    thresholds: Mapping[str, int],
    expiry_days: Mapping[str, int],
    now: Callable[[], datetime] = utcnow,
    who: str | None = None,
) -> bool:
    """Make a new repository.

    Args:
        folder: of the publisher; new or empty.
        folders: for the private keys of roles without a given key; made for this user only.
        secrets: asked for the passphrase of new keys.
        given: keys by role, each a signer URI, or a file with the public key of another key holder.
        thresholds: number of signatures by role; 1 by default.
        expiry_days: days by role; :data:`edgeagent.publisher.signers.DAYS` by default.
        now: returns the time, UTC.
        who: for the audit log; None is user and host.

    Returns:
        Whether the repository is served; False where other key holders must sign first.

    Raises:
        PublishError: the folder is not empty, a folder of keys lies in it, or a threshold exceeds the number
            of keys.
        SigningKeyError: a key cannot be made or used.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PublishError(f"{folder}: exists and is not empty; choose another folder")
    for private in (folders.offline, folders.online):
        if private.resolve().is_relative_to(folder.resolve()):
            raise PublishError(
                f"{private}: lies in the folder to publish; private keys belong somewhere else"
            )
    keys, uris = _first_keys(folders, secrets, given, thresholds)
    metadata_folder(folder).mkdir(parents=True)
    config = PublisherConfig.model_validate({"signers": uris, "expiry_days": dict(expiry_days)})
    write_config(folder, config)
    with locked(folder):
        publication = Publication(folder, config, Signers(uris, secrets), now)
        with publication.edit_root() as root:
            for role in ROLES:
                for key in keys[role]:
                    root.add_key(key, role)
                root.roles[role].threshold = thresholds.get(role, 1)
        publication.who = who or publication.who
        publication.touch(Targets.type)
        publication.describe("init", f"repository with {len(uris)} keys here")
        return publication.publish()


def delegate(publication: Publication, channel: str, keys: Sequence[Key], threshold: int) -> None:
    """Delegate a channel to these keys only; they may sign nothing outside ``CHANNEL/``.

    Args:
        publication: to change.
        channel: its name.
        keys: public keys.
        threshold: number of signatures that it needs.

    Raises:
        PublishError: the name is invalid, or the threshold exceeds the number of keys.
    """
    if not _LABEL.fullmatch(channel) or channel in RESERVED:
        raise PublishError(
            f"{channel}: cannot be the name of a channel; use lower case letters, digits, ., _ and -, and "
            f"none of {', '.join(RESERVED)}"
        )
    _check_threshold(channel, threshold, len({key.keyid for key in keys}))
    with publication.edit_targets() as targets:
        delegations = targets.delegations or Delegations({}, {})
        roles = delegations.roles if delegations.roles is not None else {}
        paths = ["/".join([channel] + ["*"] * level) for level in range(1, _LEVELS + 1)]
        roles[channel] = DelegatedRole(channel, [key.keyid for key in keys], threshold, True, paths)
        known = {**delegations.keys, **{key.keyid: key for key in keys}}
        used = {keyid for role in roles.values() for keyid in role.keyids}
        targets.delegations = Delegations({i: k for i, k in known.items() if i in used}, roles)
    if channel in publication.staged or publication.served.version(channel) is not None:
        publication.touch(channel)


def ensure_channel(publication: Publication, channel: str) -> None:
    """Delegate a channel to the keys of the targets role, unless it is delegated already."""
    targets = publication.targets()
    if targets.delegations is None or channel not in (targets.delegations.roles or {}):
        root = publication.root()
        role = root.roles[Targets.type]
        delegate(publication, channel, [root.get_key(keyid) for keyid in role.keyids], role.threshold)


def rotate_key(
    publication: Publication, role: str, new: str | None, old: str | None, secrets: Secrets
) -> str:
    """Replace a key of a role by a new one, in all metadata that the old key signs for the role.

    Args:
        publication: to change.
        role: a top-level role or a channel.
        new: signer URI, or a file with the public key of another key holder; None makes a new encrypted
            file beside the old key.
        old: beginning of the id of the old key; None for the only key of the role.
        secrets: asked for the passphrase of a new key.

    Returns:
        The id of the new key.

    Raises:
        PublishError: there is no such role or key.
        SigningKeyError: the new key cannot be made or used.
    """
    leaving = _old_key(publication, role, old)
    key, uri = _new_key(publication, role, leaving, new, secrets)
    if uri is not None:
        publication.config = publication.config.with_signers({key.keyid: uri})
        write_config(publication.folder, publication.config)  # before anything is signed with it
        publication.signers.learn({key.keyid: uri})
    if role in TOP_LEVEL_ROLE_NAMES:
        with publication.edit_root() as root:
            threshold = root.roles[role].threshold
            root.revoke_key(leaving.keyid, role)
            root.add_key(key, role)
            root.roles[role].threshold = threshold
        if role == Targets.type:
            _follow_targets(publication, leaving, key)
        # publish() makes a new snapshot and timestamp anyway
    else:
        _replace_in_channel(publication, role, leaving, key)
    return key.keyid


def _first_keys(
    folders: KeyFolders, secrets: Secrets, given: Mapping[str, Sequence[str]], thresholds: Mapping[str, int]
) -> tuple[dict[str, list[Key]], dict[str, str]]:
    for role in ROLES:
        _check_threshold(role, thresholds.get(role, 1), len(given.get(role, ())) or thresholds.get(role, 1))
    keys: dict[str, list[Key]] = {}
    uris: dict[str, str] = {}
    missing = [role for role in ROLES if not given.get(role)]
    for role in ROLES:
        keys[role] = []
        for text in given.get(role, ()):
            key, uri = named_key(text, secrets.of(role))
            keys[role].append(key)
            uris.update({key.keyid: uri} if uri else {})
    passphrases = {role: secrets.choose(role) for role in missing}
    for role in missing:
        count = thresholds.get(role, 1)
        for number in range(1, count + 1):
            name = role if count == 1 else f"{role}-{number}"
            uri, key = new_key(folders.of(role) / f"{name}.pem", passphrases[role])
            keys[role].append(key)
            uris[key.keyid] = uri
    return keys, uris


def named_key(text: str, secrets: SecretsHandler) -> tuple[Key, str | None]:
    """Return the key that a command line names, and its signer URI; None for a public key only.

    Raises:
        SigningKeyError: it cannot be used.
    """
    path = Path(text)
    if path.exists():
        return read_public_key(path), None
    if ":" not in text:
        raise SigningKeyError(f"{text}: there is no such file with a public key, and it is no signer URI")
    uri, key = import_key(text, secrets)
    return key, uri


def _new_key(
    publication: Publication, role: str, leaving: Key, new: str | None, secrets: Secrets
) -> tuple[Key, str | None]:
    if new is not None:
        return named_key(new, secrets.of(role))
    uri = publication.signers.uri(leaving) or ""
    scheme, _, place = uri.partition(":")
    if scheme != EncryptedFileSigner.SCHEME:
        raise PublishError(f"{role}: its key is in no encrypted file here; name the new one with --new")
    number = 2
    while (path := Path(place).with_name(f"{role}-v{number}.pem")).exists():
        number += 1
    made, key = new_key(path, secrets.choose(role))
    return key, made


def _old_key(publication: Publication, role: str, old: str | None) -> Key:
    if role in TOP_LEVEL_ROLE_NAMES:
        delegator: Root | Targets = publication.root()
    else:
        delegator = publication.targets()
    try:
        entry: Role = delegator.get_delegated_role(role)
    except ValueError:
        raise PublishError(f"{role}: is neither a role ({', '.join(ROLES)}) nor a channel here") from None
    found = [keyid for keyid in entry.keyids if keyid.startswith(old or "")]
    if len(found) != 1:
        listed = ", ".join(keyid[:12] for keyid in entry.keyids)
        raise PublishError(f"{role}: say with --old which of its keys goes: {listed}")
    return delegator.get_key(found[0])


def _follow_targets(publication: Publication, leaving: Key, key: Key) -> None:
    publication.touch(Targets.type)
    delegations = publication.targets().delegations
    for name, role in dict(delegations.roles or {}).items() if delegations else ():
        if leaving.keyid in role.keyids:
            _replace_in_channel(publication, name, leaving, key)


def _replace_in_channel(publication: Publication, channel: str, leaving: Key, key: Key) -> None:
    targets = publication.targets()
    role = targets.get_delegated_role(channel)
    keys = [key if keyid == leaving.keyid else targets.get_key(keyid) for keyid in role.keyids]
    delegate(publication, channel, keys, role.threshold)


def _check_threshold(role: str, threshold: int, keys: int) -> None:
    if not 0 < threshold <= keys:
        raise PublishError(f"{role}: a threshold of {threshold} does not go with {keys} keys")


def describe_keys(role: str, md: Metadata[Any]) -> Iterable[str]:
    """Yield lines that describe staged metadata, to be shown before it is signed."""
    signed = md.signed
    signatures = f"{len(md.signatures)} signatures"
    yield f"{role} version {signed.version}, expires {signed.expires:%Y-%m-%d}, {signatures}"
    if isinstance(signed, Root):
        for name in ROLES:
            entry = signed.roles[name]
            ids = ", ".join(keyid[:12] for keyid in entry.keyids)
            yield f"  {name}: {entry.threshold} of {len(entry.keyids)}: {ids}"
    elif isinstance(signed, Targets):
        yield from (f"  {path} {target.length} bytes" for path, target in sorted(signed.targets.items()))
        for name, delegated in ((signed.delegations.roles or {}) if signed.delegations else {}).items():
            ids = ", ".join(keyid[:12] for keyid in delegated.keyids)
            yield f"  channel {name}: {delegated.threshold} of {len(delegated.keyids)}: {ids}"
