"""Source of a device that follows a channel: its releases and their signed policy decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.policy import (
    Device,
    board_hindrance,
    choose_release,
    must_leave,
    named,
    power_hindrance,
    release_name,
    serve_hindrance,
    withdrawn_slots,
)
from edgeagent.delivery.update.protocols import TargetRelease


class Repository(Protocol):
    """Interface of the repository's client, whose errors pass through."""

    def refresh(self) -> Channel:
        """Fetch and verify the index of the channel."""

    def known(self) -> Channel | None:
        """Return the last verified index, without the network."""

    def expiring(self) -> str | None:
        """Return which signed metadata expire soon, as a sentence; None if none do."""

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
        expires: which signed metadata expire soon, as a sentence; None if none do.
        withdrawn: slots of the releases that were withdrawn at the last check; None before one.
        leave: why the current model is to be left although there is no target; None where it may stay.
        listeners: called with every verified index, for what a channel offers beside models.
    """

    def __init__(
        self, repository: Repository, device: Callable[[], Device], record: Callable[[], Record]
    ) -> None:
        self._repository, self._device, self._record = repository, device, record
        self.waiting: str | None = None
        self.expires: str | None = None
        self.withdrawn: frozenset[str] | None = None
        self.leave: str | None = None
        self.listeners: list[Callable[[Channel], None]] = []

    def target(self) -> TargetRelease | None:
        """Check which release the device is to move to; None leaves it as it is.

        Raises:
            DeliveryError: the channel cannot be read.
        """
        record = self._record()
        channel = self._repository.refresh()
        for listener in self.listeners:
            listener(channel)
        self.expires, self.withdrawn = self._repository.expiring(), withdrawn_slots(channel)
        release, reason = choose_release(channel, self._device(), record)
        self.waiting = reason if release is None else None
        self.leave = must_leave(channel, self._device(), record) if release is None else None
        if release is None:
            return None
        return TargetRelease(release, "command" if record.pinned == release_name(release) else "channel")

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the last verified index, without the network; None without one."""
        channel = self._repository.known()
        return named(channel, f"{name} {version}") if channel is not None else None

    def board_hindrance(self, release: Release) -> str | None:
        """Return why a release is not for this board; None if it is."""
        return board_hindrance(release, self._device())

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
