"""Metadata on the disk: the served state, to which the timestamp leads, and the staged metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import STAGED, metadata_folder


def read_metadata(path: Path) -> Metadata[Any]:
    """Read a metadata file, without verifying its signatures.

    Raises:
        PublishError: it cannot be read, or is not TUF metadata.
    """
    try:
        return Metadata[Any].from_bytes(path.read_bytes())
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror})") from None
    except DeserializationError as error:
        raise PublishError(
            f"{path}: is damaged ({error}); restore it from a copy of the repository"
        ) from None


def read_staged(folder: Path) -> dict[str, Metadata[Any]]:
    """Return the metadata in ``staged/``, by role.

    Raises:
        PublishError: a file there is damaged.
    """
    return {path.stem: read_metadata(path) for path in sorted((folder / STAGED).glob("*.json"))}


class Served:
    """Served metadata.

    Files of higher versions than those of the timestamp are ignored: an interrupted publisher left them.

    Args:
        folder: of the publisher.
    """

    def __init__(self, folder: Path) -> None:
        self._metadata = metadata_folder(folder)

    def metadata(self, role: str) -> Metadata[Any] | None:
        """Return a new copy of the metadata of a role; None without any.

        Raises:
            PublishError: it is damaged.
        """
        version = self.version(role)
        return None if version is None else read_metadata(self.path(role, version))

    def version(self, role: str) -> int | None:
        """Return the version of a role that clients see; None without one."""
        if role == Root.type:
            return self._root_version()
        timestamp = self._metadata / "timestamp.json"
        if not timestamp.exists():
            return None
        signed = read_metadata(timestamp).signed
        if role == Timestamp.type:
            return int(signed.version)
        if role == Snapshot.type:
            return int(signed.snapshot_meta.version)
        info = self.targets_infos().get(f"{role}.json")
        return None if info is None else info.version

    def path(self, role: str, version: int) -> Path:
        """Return the path of a version of a role."""
        return self._metadata / ("timestamp.json" if role == Timestamp.type else f"{version}.{role}.json")

    def targets_infos(self) -> dict[str, MetaFile]:
        """Return version, length and hash of the metadata of targets and channels, by file name."""
        snapshot = self.metadata(Snapshot.type)
        return dict(snapshot.signed.meta) if snapshot else {}

    def snapshot_info(self) -> MetaFile | None:
        """Return version, length and hash of the snapshot; None without one."""
        timestamp = self.metadata(Timestamp.type)
        return timestamp.signed.snapshot_meta if timestamp else None

    def channels(self) -> dict[str, Metadata[Any] | None]:
        """Return the metadata of every channel, by name; None for one that is empty."""
        targets = self.metadata(Targets.type)
        delegations = targets.signed.delegations if targets else None
        return {name: self.metadata(name) for name in (delegations.roles or {})} if delegations else {}

    def _root_version(self) -> int | None:
        version = 0
        while self.path(Root.type, version + 1).exists():
            version += 1
        return version or None
