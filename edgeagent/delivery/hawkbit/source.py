"""Which release a device moves to when hawkBit drives it, and when.

hawkBit decides when and which; what is installed is a release that the channel has signed, fetched from the
repository and not from hawkBit. Of the signed policy the power supply always counts, and the window unless
hawkBit forces the update; cohorts, percent, start and pause do not: hawkBit has rollouts of its own. What is
withdrawn, for other boards, or bad here is never taken.
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
    PolicyTarget,
    fits,
    named,
    outside,
    power_hindrance,
    release_name,
    unusable,
)


@dataclass(frozen=True)
class Offer:
    """An open action of hawkBit.

    Attributes:
        action: its id.
        models: name and version of each of its software modules; one of them is a release of the channel.
        base: all of it.
    """

    action: str
    models: tuple[str, ...]
    base: DeploymentBase

    @staticmethod
    def of(base: DeploymentBase) -> Offer:
        """Read an action."""
        models = tuple(f"{chunk.name} {chunk.version}" for chunk in base.deployment.chunks)
        return Offer(base.id, models, base)


class HawkbitSource:
    """Where the models of a device come from that hawkBit drives.

    The updater asks it in its thread, the conversation with the server gives it offers in another.

    Args:
        repository: of the channel that releases are chosen from.
        device: gives what this device is now.
        record: gives what it remembers now.

    Attributes:
        offer: the open action; None without one.
        waiting: why nothing is wished or goes on, for people; None where nothing is to be said.
        on_news: called when there may be something to tell hawkBit.
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
        self.on_news: Callable[[], None] = lambda: None

    def wish(self) -> PolicyTarget | None:
        """Look what the device is to move to; None leaves it where it is. A pin goes before hawkBit.

        Raises:
            DeliveryError: the channel cannot be read.
        """
        offer, record = self.offer, self._record()
        if record.pinned is not None:
            wished = self._channel.wish()
            self._wait(f"pinned to {record.pinned} by a command" if offer is not None else None)
            return wished
        if offer is None or self._verdict_on(offer) is not None:
            return None
        release = self._chosen(self._repository.refresh(), offer)
        return self._wish_for(release, offer) if release is not None else None

    def find(self, name: str, version: str) -> Release | None:
        """Return a release of the verified index that is at hand, without the network; None without one."""
        return self._channel.find(name, version)

    def may_serve(self, release: Release) -> str | None:
        """Return why a release that has been fetched does not begin to serve yet; None if it may."""
        if self._record().pinned == release_name(release):
            return self._channel.may_serve(release)
        self._wait(self._why_not_serve(release))
        return self.waiting

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Fetch a file from the repository, verify it and put it on the disk."""
        self._repository.fetch(release, file, destination, progress, cancelled)

    def feedback(self, offer: Offer, progress: float | None) -> ActionFeedback | None:
        """Return what hawkBit is to know of an action now; None while there is nothing to say."""
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
        """Find the release among the software modules of an action."""
        found = [release for model in offer.models if (release := named(channel, model)) is not None]
        if len(found) == 1:
            return found[0]
        modules = ", ".join(offer.models) or "nothing"
        what = "none" if not found else "more than one"
        self._close(offer, "failure", f"of {modules} channel {channel.channel} offers {what}")
        return None

    def _wish_for(self, release: Release, offer: Offer) -> PolicyTarget | None:
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
        return PolicyTarget(release, "hawkbit", offer.action) if self.waiting is None else None

    def _why_not_serve(self, release: Release) -> str | None:
        offer, device = self.offer, self._device()
        if offer is None or release_name(release) not in offer.models:
            return "hawkBit does not ask for it any more"
        asked = offer.base.deployment
        if asked.update == "skip":
            closed = asked.maintenance_window == "unavailable"
            return "hawkBit's maintenance window is closed" if closed else "hawkBit asks only to fetch it"
        hindrance = unusable(release, self._record()) or power_hindrance(release.rollout, device)
        if hindrance is None and asked.update == "attempt":
            hindrance = outside(release.rollout.window, device)
        return hindrance

    def _verdict_on(self, offer: Offer) -> ActionFeedback | None:
        return self._verdict[1] if self._verdict is not None and self._verdict[0] == offer.action else None

    def _wait(self, reason: str | None) -> None:
        self.waiting = reason
        self.on_news()

    def _close(self, offer: Offer, finished: Finished, detail: str) -> None:
        """Decide that nothing is to be done for an action."""
        self._verdict = (offer.action, ActionFeedback(execution="closed", finished=finished, detail=detail))
        self._wait(None if finished == "success" else detail)
