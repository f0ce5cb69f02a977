"""Follows a channel: what it offers and its signed policy decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.policy import (
    Device,
    PolicyTarget,
    choose_release,
    may_serve,
    named,
    power_hindrance,
    release_name,
)


class Repository(Protocol):
    """What a source needs of the repository's client, whose errors pass through."""

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
        """Fetch a file, verify it and put it on the disk."""


class ChannelSource:
    """Where the models of a device come from that follows a channel.

    Args:
        repository: to read.
        device: gives what this device is now.
        record: gives what it remembers now.

    Attributes:
        waiting: why the last look wished nothing, for people; None where it wished something.
    """

    def __init__(
        self, repository: Repository, device: Callable[[], Device], record: Callable[[], Record]
    ) -> None:
        self._repository, self._device, self._record = repository, device, record
        self.waiting: str | None = None

    def wish(self) -> PolicyTarget | None:
        """Look what the device is to move to; None leaves it where it is.

        Raises:
            DeliveryError: the channel cannot be read.
        """
        record = self._record()
        release, reason = choose_release(self._repository.refresh(), self._device(), record)
        self.waiting = reason if release is None else None
        if release is None:
            return None
        return PolicyTarget(release, "command" if record.pinned == release_name(release) else "channel")

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the verified index that is at hand, without the network; None without one."""
        channel = self._repository.known()
        return named(channel, f"{name} {version}") if channel is not None else None

    def may_serve(self, release: Release) -> str | None:
        """Return why a release that has been fetched does not begin to serve yet; None if it may."""
        if self._record().pinned == release_name(release):
            return power_hindrance(release.rollout, self._device())
        return may_serve(release, self._device())

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fetch a file, verify it and put it on the disk."""
        self._repository.fetch(release, file, destination, progress, cancelled)
