"""Source of a device that hawkBit drives.

hawkBit decides which release to deploy, and when; the release is one that the channel has signed, fetched
from the repository and not from hawkBit. Of the signed policy the power supply always counts, and the window
unless hawkBit forces the update; cohorts, percent, start and pause do not, as hawkBit has its own rollouts. A
release that is withdrawn, for other boards, or bad here is never taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeagent.delivery.hawkbit.ddi import ActionFeedback, DeploymentBase, Finished
from edgeagent.delivery.hawkbit.feedback import deployment_of, feedback_on
from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.update.channel_source import ChannelSource, Repository
from edgeagent.delivery.update.policy import (
    Device,
    fits,
    named,
    power_hindrance,
    release_name,
    unusable,
    window_hindrance,
    withdrawn_slots,
)
from edgeagent.delivery.update.protocols import TargetRelease


@dataclass(frozen=True)
class Offer:
    """Open action of hawkBit.

    Attributes:
        action: its id.
        models: name and version of each of its software modules; one of them is a release of the channel.
        base: resource that it was read from.
    """

    action: str
    models: tuple[str, ...]
    base: DeploymentBase

    @staticmethod
    def of(base: DeploymentBase) -> Offer:
        """Return the action of a resource."""
        models = tuple(f"{chunk.name} {chunk.version}" for chunk in base.deployment.chunks)
        return Offer(base.id, models, base)


class HawkbitSource:
    """Source of a device that hawkBit drives.

    The updater's thread asks for targets; the thread of the conversation with hawkBit sets the offer.

    Args:
        repository: of the channel that releases are chosen from.
        device: returns the properties of this device now.
        record: returns the deployment record now.

    Attributes:
        offer: open action; None without one.
        waiting: why there is no target, or why the deployment waits; None without a reason.
        expires: which signed metadata expire soon, as a sentence; None if none do.
        withdrawn: slots of the releases that were withdrawn at the last check; None before one.
        leave: None, as hawkBit decides which model serves.
        on_change: called when there may be feedback to send.
    """

    def __init__(
        self, repository: Repository, device: Callable[[], Device], record: Callable[[], Record]
    ) -> None:
        self._repository, self._device, self._record = repository, device, record
        self._channel = ChannelSource(repository, device, record)
        self._verdict: tuple[str, ActionFeedback] | None = (
            None  # on an action for which nothing is to be done
        )
        self.offer: Offer | None = None
        self.waiting: str | None = None
        self.expires: str | None = None
        self.withdrawn: frozenset[str] | None = None
        self.leave: str | None = None
        self.on_change: Callable[[], None] = lambda: None

    def target(self) -> TargetRelease | None:
        """Check which release the device is to move to; None leaves it as it is. A pin overrides hawkBit.

        Raises:
            DeliveryError: the channel cannot be read.
        """
        offer, record = self.offer, self._record()
        if record.pinned is not None:
            target = self._channel.target()
            self.expires, self.withdrawn = self._channel.expires, self._channel.withdrawn
            self._wait(f"pinned to {record.pinned} by a command" if offer is not None else None)
            return target
        if offer is None or self._verdict_on(offer) is not None:
            return None
        channel = self._repository.refresh()
        self.expires, self.withdrawn = self._repository.expiring(), withdrawn_slots(channel)
        release = self._chosen(channel, offer)
        return self._target_for(release, offer) if release is not None else None

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the last verified index, without the network; None without one."""
        return self._channel.find(name, version)

    def board_hindrance(self, release: Release) -> str | None:
        """Return why a release is not for this board; None if it is."""
        return self._channel.board_hindrance(release)

    def serve_hindrance(self, release: Release) -> str | None:
        """Return why a fetched release may not serve yet; None if it may."""
        if self._record().pinned == release_name(release):
            return self._channel.serve_hindrance(release)
        self._wait(self._serve_hindrance(release))
        return self.waiting

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fetch a file from the repository, verify it and bring it to the disk."""
        self._repository.fetch(release, file, destination, progress, cancelled)

    def feedback(self, offer: Offer, progress: float | None) -> ActionFeedback | None:
        """Return the present feedback on an action; None while there is none.

        Args:
            offer: the action.
            progress: fetched share of the bytes, 0..1; None when nothing is fetched.
        """
        verdict = self._verdict_on(offer)
        if verdict is not None:
            return verdict
        deployment = deployment_of(offer.action, offer.models, self._record())
        if deployment is not None:
            return feedback_on(deployment, progress, self.waiting)
        if self.waiting is not None:
            return ActionFeedback(execution="scheduled", detail=self.waiting)
        return None

    def _chosen(self, channel: Channel, offer: Offer) -> Release | None:
        """Return the release among the software modules of an action; None closes the action."""
        found = [release for model in offer.models if (release := named(channel, model)) is not None]
        if len(found) == 1:
            return found[0]
        modules = ", ".join(offer.models) or "nothing"
        what = "none" if not found else "more than one"
        self._close(offer, "failure", f"of {modules} channel {channel.channel} offers {what}")
        return None

    def _target_for(self, release: Release, offer: Offer) -> TargetRelease | None:
        record, device = self._record(), self._device()
        if record.current is not None and record.current.slot == release.slot:
            self._close(offer, "success", f"{release_name(release)} serves already")
            return None
        if not fits(release, device):
            self._close(offer, "failure", f"{release_name(release)} is not for {', '.join(device.boards)}")
            return None
        hindrance = unusable(release, record)
        if hindrance is not None and deployment_of(offer.action, offer.models, record) is None:
            self._close(offer, "failure", f"{release_name(release)}: {hindrance}")
            return None
        if offer.base.deployment.download == "skip":
            self._wait(f"{release_name(release)}: hawkBit asks not to fetch it yet")
        else:
            self._wait(power_hindrance(release.rollout, device))
        return TargetRelease(release, "hawkbit", offer.action) if self.waiting is None else None

    def _serve_hindrance(self, release: Release) -> str | None:
        offer, device = self.offer, self._device()
        if offer is None or release_name(release) not in offer.models:
            return "hawkBit does not ask for it any more"
        asked = offer.base.deployment
        if asked.update == "skip":
            closed = asked.maintenance_window == "unavailable"
            return "hawkBit's maintenance window is closed" if closed else "hawkBit asks only to fetch it"
        hindrance = unusable(release, self._record()) or power_hindrance(release.rollout, device)
        if hindrance is None and asked.update == "attempt":
            hindrance = window_hindrance(release.rollout.window, device)
        return hindrance

    def _verdict_on(self, offer: Offer) -> ActionFeedback | None:
        return self._verdict[1] if self._verdict is not None and self._verdict[0] == offer.action else None

    def _wait(self, reason: str | None) -> None:
        self.waiting = reason
        self.on_change()

    def _close(self, offer: Offer, finished: Finished, detail: str) -> None:
        """Close an action without a deployment."""
        self._verdict = (offer.action, ActionFeedback(execution="closed", finished=finished, detail=detail))
        self._wait(None if finished == "success" else detail)
