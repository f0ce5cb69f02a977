"""Source of a device that follows a channel: its releases and their signed policy decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.policy import (
    Device,
    choose_release,
    named,
    power_hindrance,
    release_name,
    serve_hindrance,
)
from edgeagent.delivery.update.protocols import TargetRelease


class Repository(Protocol):
    """Interface of the repository's client, whose errors pass through."""

    def refresh(self) -> Channel:
        """Fetch and verify the index of the channel."""

    def known(self) -> Channel | None:
        """Return the last verified index, without the network."""

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = ...,
        cancelled: Callable[[], bool] = ...,
    ) -> None:
        """Fetch a file, verify it and bring it to the disk."""


class ChannelSource:
    """Source of a device that follows a channel.

    Args:
        repository: of the channel.
        device: returns the properties of this device now.
        record: returns the deployment record now.

    Attributes:
        waiting: why the last check found no target; None where it found one.
    """

    def __init__(
        self, repository: Repository, device: Callable[[], Device], record: Callable[[], Record]
    ) -> None:
        self._repository, self._device, self._record = repository, device, record
        self.waiting: str | None = None

    def target(self) -> TargetRelease | None:
        """Check which release the device is to move to; None leaves it as it is.

        Raises:
            DeliveryError: the channel cannot be read.
        """
        record = self._record()
        release, reason = choose_release(self._repository.refresh(), self._device(), record)
        self.waiting = reason if release is None else None
        if release is None:
            return None
        return TargetRelease(release, "command" if record.pinned == release_name(release) else "channel")

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the last verified index, without the network; None without one."""
        channel = self._repository.known()
        return named(channel, f"{name} {version}") if channel is not None else None

    def serve_hindrance(self, release: Release) -> str | None:
        """Return why a fetched release may not serve yet; None if it may."""
        if self._record().pinned == release_name(release):
            return power_hindrance(release.rollout, self._device())
        return serve_hindrance(release, self._device())

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fetch a file, verify it and bring it to the disk."""
        self._repository.fetch(release, file, destination, progress, cancelled)
