"""A repository of models on the disk, made with TUF's own types and real ed25519 keys.

It is what ``edgeagent publish`` makes, and can also be made wrong on purpose. Every change is written at once
as new versions of the metadata; a copy of the folder is an older state of the repository.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from edgeagent.delivery.repository.channel import INDEX, MANIFEST, Channel, Release
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.repository.configuration_entry import Configuration, ConfigurationFile
from edgeagent.version import __version__

TOP = ("root", "timestamp", "snapshot", "targets")


def in_days(days: float) -> datetime:
    """A time from now, in whole seconds as TUF wants it."""
    return (datetime.now(timezone.utc) + timedelta(days=days)).replace(microsecond=0)


class Repository:
    """A repository in a folder.

    Attributes:
        folder: of the repository, with ``metadata`` and ``targets``.
        signers: keys that sign for each role.
        trusted: file with the root metadata of the beginning, as a device has it.
    """

    def __init__(self, folder: Path, channels: Iterable[str] = ("stable",)) -> None:
        self.folder = folder
        (folder / "metadata").mkdir(parents=True)
        expires = in_days(30)
        self.root = Metadata(Root(expires=expires))
        self.timestamp = Metadata(Timestamp(expires=expires))
        self.snapshot = Metadata(Snapshot(expires=expires))
        self.targets = Metadata(Targets(expires=expires))
        self.channels = {name: Metadata(Targets(expires=expires)) for name in channels}
        self.releases: dict[str, list[Release]] = {name: [] for name in channels}
        self.configurations: dict[str, list[Configuration]] = {name: [] for name in channels}
        self.signers = {role: [CryptoSigner.generate_ed25519()] for role in (*TOP, *channels)}
        for role in TOP:
            self.root.signed.add_key(self.signers[role][0].public_key, role)
        self.targets.signed.delegations = Delegations(
            {}, {name: DelegatedRole(name, [], 1, True, _paths(name)) for name in channels}
        )
        for name in channels:
            self.targets.signed.add_key(self.signers[name][0].public_key, name)
            self._write_index(name)
        self.write_root()
        self.trusted = folder / "metadata" / "1.root.json"
        self.publish()

    def add(
        self,
        artefacts: Mapping[str, bytes],
        channel: str = "stable",
        name: str = "coco-nano",
        version: str = "1.0.0",
        **fields: Any,
    ) -> Release:
        """Publish a release; other fields of :class:`Release` are taken as given."""
        content = {MANIFEST: f"name: {name}\nversion: {version}\n".encode(), **artefacts}
        fields = {"boards": ("any",), "rollout": Rollout(id="all"), **fields}
        fields.setdefault("files", {file: len(data) for file, data in content.items()})
        release = Release(
            name=name,
            version=version,
            sequence=len(self.releases[channel]) + 1,
            manifest_sha256=hashlib.sha256(content[MANIFEST]).hexdigest(),
            **fields,
        )
        for file, data in content.items():
            self.write_target(channel, release.target(channel, file), data)
        self.releases[channel].append(release)
        self._write_index(channel)
        self.publish(channel)
        return release

    def write_target(self, role: str, path: str, data: bytes) -> Path:
        """Write a file, and have a role list it (not yet published); return where it lies."""
        target = TargetFile.from_data(path, data, ["sha256"])
        self.role(role).signed.targets[path] = target
        return self._write(self.folder / "targets" / target.get_prefixed_paths()[0], data)

    def configure(
        self, settings: Mapping[str, Any], version: str, channel: str = "stable", **fields: Any
    ) -> Configuration:
        """Publish a configuration, unchecked; other fields of :class:`Configuration` are taken as given."""
        made_with = fields.pop("made_with", __version__)
        content = ConfigurationFile(made_with=made_with, settings=dict(settings)).model_dump_json().encode()
        fields = {"boards": ("any",), "rollout": Rollout(id="all"), **fields}
        entry = Configuration(
            version=version,
            sequence=len(self.configurations[channel]) + 1,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            **fields,
        )
        self.write_target(channel, entry.target(channel), content)
        self.change_configurations([*self.configurations[channel], entry], channel)
        return entry

    def change_configurations(self, entries: Iterable[Configuration], channel: str = "stable") -> None:
        """Publish an index with these configurations."""
        self.configurations[channel] = list(entries)
        self._write_index(channel)
        self.publish(channel)

    def target_file(self, channel: str, path: str) -> Path:
        """Where a published target lies."""
        target = self.channels[channel].signed.targets[path]
        return self.folder / "targets" / target.get_prefixed_paths()[0]

    def publish(self, *changed: str) -> None:
        """Write new versions of roles that changed (``targets`` or channels), of snapshot and timestamp."""
        if not self.snapshot.signed.meta.get("stable.json"):
            changed = ("targets", *self.channels)
        for role in changed:
            if f"{role}.json" in self.snapshot.signed.meta and self._is_written(role):
                self.role(role).signed.version += 1
            self.write_role(role)
            self.snapshot.signed.meta[f"{role}.json"] = self._described(role)
        if self._is_written("snapshot"):
            self.snapshot.signed.version += 1
        self.write_role("snapshot")
        self.timestamp.signed.snapshot_meta = self._described("snapshot")
        if (self.folder / "metadata" / "timestamp.json").exists():
            self.timestamp.signed.version += 1
        self.write_role("timestamp")

    def write_role(self, role: str) -> Path:
        """Sign the metadata of a role as they are, and write them."""
        metadata = self.role(role)
        metadata.signatures.clear()
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        name = "timestamp.json" if role == "timestamp" else f"{metadata.signed.version}.{role}.json"
        return self._write(self.folder / "metadata" / name, metadata.to_bytes(JSONSerializer()))

    def write_root(self, also: Iterable[CryptoSigner] = ()) -> Path:
        """Sign the root with its keys and others, such as those before a rotation, and write it."""
        own = self.signers["root"]
        self.signers["root"] = [*own, *(signer for signer in also if signer not in own)]
        try:
            return self.write_role("root")
        finally:
            self.signers["root"] = own

    def rotate(self, role: str) -> None:
        """Give a top-level role another key, by a new version of the root."""
        before = list(self.signers["root"])
        old, new = self.signers[role][0], CryptoSigner.generate_ed25519()
        self.root.signed.revoke_key(old.public_key.keyid, role)
        self.root.signed.add_key(new.public_key, role)
        self.signers[role] = [new]
        self.root.signed.version += 1
        self.write_root(also=before)

    def role(self, role: str) -> Any:
        """The metadata of a role."""
        return self.channels[role] if role in self.channels else getattr(self, role)

    def _write_index(self, channel: str) -> None:
        index = Channel(
            channel=channel,
            releases=tuple(self.releases[channel]),
            configurations=tuple(self.configurations[channel]),
        )
        self.write_target(channel, f"{channel}/{INDEX}", index.model_dump_json().encode())

    def _is_written(self, role: str) -> bool:
        return (self.folder / "metadata" / f"{self.role(role).signed.version}.{role}.json").exists()

    def _described(self, role: str) -> MetaFile:
        data = self.role(role).to_bytes(JSONSerializer())
        return MetaFile.from_data(self.role(role).signed.version, data, ["sha256"])

    @staticmethod
    def _write(path: Path, data: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def altered(path: Path, **changes: object) -> None:
    """Change fields of the signed part of metadata, and leave the signatures as they are."""
    content = json.loads(path.read_bytes())
    content["signed"].update(changes)
    path.write_text(json.dumps(content), encoding="utf-8")


def _paths(channel: str) -> list[str]:
    """Patterns of TUF do not cross a slash."""
    return [f"{channel}/" + "/".join("*" * depth) for depth in range(1, 7)]
