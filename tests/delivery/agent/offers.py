"""Wheel sets in a signed repository, and the host of an updater, for tests."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeagent.delivery.agent.agent_host import AgentHost
from edgeagent.delivery.repository.agent_entry import AgentRelease
from edgeagent.delivery.repository.channel import INDEX, Channel
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.update.policy import Device
from edgeagent.launcher.launched import Launched
from edgeagent.publisher.wheel_set import CheckedSet, check_wheels
from edgeagent.settings.sections.delivery import AgentUpdateSettings, DeliverySettings
from tests.delivery.signed_repository import Repository
from tests.launcher.wheels import build_wheel, stand_in

PACKAGED = "0.1.0"


def checked_set(folder: Path, version: str, files: dict[str, bytes] | None = None) -> CheckedSet:
    """Return the wheel set of a stand-in, or of other files."""
    build_wheel(folder, version, files or stand_in(version))
    return check_wheels(folder)


def offer(
    repository: Repository,
    checked: CheckedSet,
    scratch: Path,
    change: Callable[[bytes], bytes] = lambda content: content,
    **fields: Any,
) -> AgentRelease:
    """Publish a wheel set in a repository, and return its release."""
    archive = scratch / "set.zip"
    archive.unlink(missing_ok=True)
    checked.write(archive)
    content = change(archive.read_bytes())
    manifest = checked.manifest
    known = read_offers(repository)
    release = AgentRelease(
        **{
            "version": manifest.version,
            "sequence": len(known) + 1,
            "boards": ("any",),
            "rollout": Rollout(id="agent"),
            "platform": manifest.platform,
            "sha256": _digest(content),
            "size": len(content),
            "unpacked": manifest.unpacked,
            **fields,
        }
    )
    repository.write_target("stable", release.target("stable"), content)
    write_offers(repository, [*known, release])
    return release


def read_offers(repository: Repository) -> tuple[AgentRelease, ...]:
    """Return the versions that a repository offers."""
    return channel_of(repository).agents


def write_offers(repository: Repository, agents: Sequence[AgentRelease]) -> None:
    """Publish other entries."""
    index = channel_of(repository).model_copy(update={"agents": tuple(agents)})
    repository.write_target("stable", f"stable/{INDEX}", index.model_dump_json().encode())
    repository.publish("stable")


def channel_of(repository: Repository) -> Channel:
    """Return the index of a repository."""
    return Channel.model_validate_json(repository.target_file("stable", f"stable/{INDEX}").read_bytes())


def settings_of(repository: Path, trusted: Path, **fields: Any) -> DeliverySettings:
    """Return the settings of a device."""
    return DeliverySettings(repository=str(repository), root=trusted, agent=AgentUpdateSettings(**fields))


def launched_in(state: Path, package: Path, slot: str | None = None, *, trial: bool = False) -> Launched:
    """Return the facts of a start."""
    return Launched(
        str(state / "agent"), str(package), PACKAGED, slot, trial, ("run", "-c", "edgeagent.yaml")
    )


def host_of(start: Launched, restart: Callable[[], None], **changes: Any) -> AgentHost:
    """Return a healthy host."""
    device = Device("gate-pi", ("any",), (), datetime.now(timezone.utc))
    host = AgentHost(start, lambda: device, lambda: None, lambda: None, lambda: (True, True), restart)
    return dataclasses.replace(host, **changes)


def repacked(content: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]], scratch: Path) -> bytes:
    """Return an archive with other files."""
    path = scratch / "repacked.zip"
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in change(files).items():
            archive.writestr(name, data)
    return path.read_bytes()


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
