"""What an updater needs from the two sides: where models come from, and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.repository.channel import Release

Passed = TypeVar("Passed")
"""What a gate gives for a model that passed it: all that is needed to let it serve."""


class TargetRelease(Protocol):
    """A release that the device is to move to; ``action`` is hawkBit's id."""

    @property
    def release(self) -> Release:
        """Which."""

    @property
    def source(self) -> Literal["channel", "command", "hawkbit"]:
        """What asked for it."""

    @property
    def action(self) -> str | None:
        """Id of hawkBit's action."""


class ReleaseSource(Protocol):
    """Where models come from: a channel, or a hawkBit server that chooses from one."""

    def wish(self) -> TargetRelease | None:
        """Look what the device is to move to; None leaves it where it is.

        Raises:
            UnreachableError, WrongClockError: try again later.
            RefusedError: what came does not verify.
        """

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the verified index that is at hand, without the network; None without one."""

    def may_serve(self, release: Release) -> str | None:
        """Return why a release that has been fetched does not begin to serve yet; None if it may."""

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = ...,
        cancelled: Callable[[], bool] = ...,
    ) -> None:
        """Fetch a file, verify it and put it on the disk; one that is there already is left as it is.

        Args:
            release: that the file belongs to.
            file: name in the bundle.
            destination: its name here.
            progress: told how many bytes of the file are here.
            cancelled: asked now and then.

        Raises:
            UnreachableError, WrongClockError, NoRoomError: try again later.
            RefusedError: it is not the file that was signed.
            CancelledError: as ``cancelled`` said.
        """


class ModelRunner(Protocol[Passed]):
    """What runs models. All of it is called from the updater's thread."""

    def usable_files(self, manifest: Manifest) -> Collection[str]:
        """Return the files of a bundle that this board needs: artefacts that it can use, their golden set."""

    def gate(self, bundle: Bundle) -> Passed:
        """Try a model while the old one goes on.

        Raises:
            DeliveryError: it may not serve here; the message says why.
            EdgeagentError: it could not be found out; it is tried again.
        """

    def serve(self, passed: Passed | None) -> None:
        """Let a model serve instead of the present one; None is what :meth:`Store.good` gives.

        With a model the trial begins: it is watched, and ``Updater.trial_ended`` is called in the end.

        Raises:
            EdgeagentError: it cannot be started; the old one goes on.
        """
