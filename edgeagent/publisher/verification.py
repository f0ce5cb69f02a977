"""Verification of a repository as on a device: the client workflow of TUF, and the hash of every file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, Targets
from tuf.ngclient import Updater, UpdaterConfig

from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel import INDEX, Channel, parse_channel
from edgeagent.delivery.repository.fetcher import Fetcher
from edgeagent.delivery.repository.throttled_reader import ThrottledReader
from edgeagent.delivery.repository.transfer_limits import TransferLimits
from edgeagent.delivery.repository.transport import FolderTransport
from edgeagent.publisher.configuration import verify_configuration
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import metadata_folder, served_path

_MOST_ROOTS = 100_000  # a device that was off for long follows any number of root versions


@dataclass(frozen=True)
class Verified:
    """Verified channel.

    Attributes:
        channel: its name.
        index: its releases; None for a delegated channel that is empty.
        files, size: number of hashed files, and their bytes.
    """

    channel: str
    index: Channel | None
    files: int
    size: int


def verify(folder: Path, trusted_root: bytes) -> list[Verified]:
    """Verify all served channels.

    Args:
        folder: of the publisher.
        trusted_root: root metadata that a device trusts, the newest or an older version.

    Raises:
        PublishError: a device would refuse a signature, a version, an expiry, a length or a hash, or a file
            is missing.
    """
    with tempfile.TemporaryDirectory() as cache:
        try:
            updater = Updater(
                cache,
                metadata_folder(folder).absolute().as_uri(),
                fetcher=Fetcher(FolderTransport(), ThrottledReader(TransferLimits(), None)),
                config=UpdaterConfig(max_root_rotations=_MOST_ROOTS, max_delegations=_MOST_ROOTS),
                bootstrap=trusted_root,
            )
            updater.refresh()
            top = Metadata[Targets].from_file(str(Path(cache) / "targets.json")).signed
            names = list((top.delegations.roles or {}) if top.delegations else {})
            listed = {name: _is_in_snapshot(Path(cache), name) for name in names}
            return [
                _channel(folder, updater, name) if listed[name] else Verified(name, None, 0, 0)
                for name in names
            ]
        except (RepositoryError, DownloadError) as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise PublishError(f"{folder}: a device refuses it: {error}{cause}") from error


def _is_in_snapshot(cache: Path, role: str) -> bool:
    snapshot: Metadata[Any] = Metadata[Any].from_file(str(cache / "snapshot.json"))
    return f"{role}.json" in snapshot.signed.meta


def _channel(folder: Path, updater: Updater, name: str) -> Verified:
    path = f"{name}/{INDEX}"
    content, size = _read(folder, updater, path), 0
    index = parse_channel(content, path)
    if index.channel != name:
        raise PublishError(f"{path}: is the index of another channel, {index.channel}")
    files = [(release, file) for release in index.releases for file in release.files]
    for release, file in files:
        target = release.target(name, file)
        length = _hash(folder, updater, target)
        size += length
        if length != release.files[file]:
            raise PublishError(f"{target}: is {length} bytes, the index says {release.files[file]}")
    for release in index.releases:
        manifest = updater.get_targetinfo(release.target(name, "manifest.yaml"))
        if manifest is None or manifest.hashes.get("sha256") != release.manifest_sha256:
            raise PublishError(
                f"{release.target(name, 'manifest.yaml')}: is not the manifest that the index names"
            )
    for one in index.configurations:
        verify_configuration(name, one, _read(folder, updater, one.target(name)))
        size += one.size
    size += sum(_agent(folder, updater, name, agent) for agent in index.agents)
    count = len(files) + len(index.configurations) + len(index.agents) + 1
    return Verified(name, index, count, size + len(content))


def _agent(folder: Path, updater: Updater, name: str, agent: AgentRelease) -> int:
    """Check the archive of a version of the agent, and return its length in bytes."""
    path = agent.target(name)
    length, target = _hash(folder, updater, path), updater.get_targetinfo(path)
    if target is None or (length, target.hashes.get("sha256")) != (agent.size, agent.sha256):
        raise PublishError(f"{path}: is not the archive that the index names")
    return length


def _read(folder: Path, updater: Updater, path: str) -> bytes:
    _hash(folder, updater, path)
    target = updater.get_targetinfo(path)
    if target is None:
        raise PublishError(f"{path}: is no target")
    return served_path(folder, target).read_bytes()


def _hash(folder: Path, updater: Updater, path: str) -> int:
    """Check the file of a target against signed metadata, and return its length in bytes."""
    target = updater.get_targetinfo(path)
    if target is None:
        raise PublishError(f"{path}: is offered, but no key of its channel signed for it")
    place = served_path(folder, target)
    try:
        with place.open("rb") as file:
            target.verify_length_and_hashes(file)
    except OSError as error:
        raise PublishError(f"{place}: cannot be read ({error.strerror})") from None
    except LengthOrHashMismatchError as error:
        raise PublishError(f"{place}: is not what was signed ({error})") from None
    return target.length
