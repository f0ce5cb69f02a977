"""Interfaces of an updater: the source of its models, and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from edgeagent.bundle.manifest import Manifest
from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.state.record import DeploymentSource
from edgeagent.delivery.state.store import Store

Passed = TypeVar("Passed")
"""Result of a gate for a model that passed it: all that is needed to let the model serve."""


@dataclass(frozen=True)
class TargetRelease:
    """Release that the device is to move to.

    Attributes:
        release: to deploy.
        source: origin of the deployment.
        action: id of hawkBit's action; None without one.
    """

    release: Release
    source: DeploymentSource = "channel"
    action: str | None = None


class ReleaseSource(Protocol):
    """Source of models: a channel, or a hawkBit server that chooses from one.

    Attributes:
        waiting: why the last check found no target; None where it found one.
        expires: which signed metadata expire soon, as a sentence; None if none do.
        leave: why the current model is to be left although there is no target; None where it may stay.
    """

    waiting: str | None
    expires: str | None
    leave: str | None

    @property
    def withdrawn(self) -> frozenset[str] | None:
        """Slots of the releases that were withdrawn at the last check; None before one."""

    def target(self) -> TargetRelease | None:
        """Check which release the device is to move to; None leaves it as it is.

        Raises:
            UnreachableError, WrongClockError: try again later.
            RefusedError: the index does not verify.
        """

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the last verified index, without the network; None without one."""

    def board_hindrance(self, release: Release) -> str | None:
        """Return why a release is not for this board; None if it is."""

    def serve_hindrance(self, release: Release) -> str | None:
        """Return why a fetched release may not serve yet; None if it may."""

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = ...,
        cancelled: Callable[[], bool] = ...,
    ) -> None:
        """Fetch a file, verify it and bring it to the disk; one that is complete is left as it is.

        Args:
            release: that the file belongs to.
            file: name in the bundle.
            destination: path on this device.
            progress: called with the number of bytes of the file that are on the device.
            cancelled: asked several times a second.

        Raises:
            UnreachableError, WrongClockError, NoRoomError: try again later.
            RefusedError: it does not verify.
            CancelledError: ``cancelled`` returned True.
        """


class ModelRunner(Protocol[Passed]):
    """Runs the models of this device. All methods are called in the updater's thread."""

    def usable_files(self, manifest: Manifest) -> Collection[str]:
        """Return the files of a bundle that this board needs: usable artefacts and their golden set."""

    def gate(self, bundle: Bundle) -> Passed:
        """Try a model while the current one goes on serving.

        Raises:
            DeliveryError: it may not serve here; the message says why.
            EdgeagentError: the gate could not be run; try again later.
        """

    def serve(self, passed: Passed | None) -> None:
        """Let another model serve; None is the one that :meth:`Store.good` returns.

        With a model the trial begins: it is watched, and ``Updater.trial_ended`` is called at its end.

        Raises:
            EdgeagentError: it cannot be started; the current model goes on serving.
        """


@dataclass(frozen=True)
class DeploymentContext(Generic[Passed]):
    """Parts that a deployment works with.

    Attributes:
        store: state of this device.
        source: of its models.
        runner: that runs them.
    """

    store: Store
    source: ReleaseSource
    runner: ModelRunner[Passed]
