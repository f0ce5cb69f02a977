"""A device that hawkBit drives, without an updater: the test walks it through its states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeagent.delivery.hawkbit.conversation import Hawkbit, attributes
from edgeagent.delivery.hawkbit.ddi import Ddi
from edgeagent.delivery.hawkbit.source import HawkbitSource
from edgeagent.delivery.repository.channel import Channel, Release
from edgeagent.delivery.state.record import Deployment, Record
from edgeagent.delivery.update.channel_source import Repository
from edgeagent.delivery.update.policy import Device
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import HawkbitSettings
from edgeagent.telemetry.contract.deployment import State
from tests.delivery.hawkbit.server import CONTROLLER
from tests.delivery.releases import NOON_TEXT, bad, channel, device, installed, release

STABLE = channel(release(1), release(2))


class ReadyRepository:
    """A channel whose index is at hand; what is fetched is written down."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.fetched: list[str] = []

    def refresh(self) -> Channel:
        return self.channel

    def expiring(self) -> str | None:
        """Return None, as nothing expires."""
        return None

    def known(self) -> Channel | None:
        return self.channel

    def fetch(
        self,
        release: Release,
        file: str,
        destination: Path,
        progress: Callable[[int], None] = lambda size: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self.fetched.append(release.target(self.channel.channel, file))


class Walker:
    """Does what hawkBit drives an updater to do, and remembers it.

    Attributes:
        record: what it remembers.
        here: what it is.
        source: that it asks.
        checks: number of update checks.
        forgiven: models.
    """

    def __init__(self, repository: Repository) -> None:
        self.record = Record()
        self.here: Device = device()
        self.source = HawkbitSource(repository, lambda: self.here, lambda: self.record)
        self.checks = 0
        self.forgiven: list[str] = []

    def check_now(self) -> str:
        self.checks += 1
        target = self.source.target()
        if target is not None and self._is_news(target.action):
            self.remember(
                deployment=Deployment(
                    model=installed(target.release),
                    state="fetching",
                    since=NOON_TEXT,
                    source=target.source,
                    action=target.action,
                )
            )
        return "looking"

    def cancel(self, reason: str) -> str:
        if self.deployment.state == "trial":
            raise DeliveryError("it is on trial; roll it back instead")
        self.move("rejected", reason)
        return "cancelled"

    def forgive(self, name: str, version: str) -> str:
        self.forgiven.append(f"{name} {version}")
        return "forgiven"

    @property
    def deployment(self) -> Deployment:
        assert self.record.deployment is not None
        return self.record.deployment

    def move(self, state: State, reason: str | None = None) -> None:
        """Go to a state."""
        self.remember(deployment=self.deployment.model_copy(update={"state": state, "reason": reason}))
        if state == "good":
            self.remember(current=self.deployment.model)

    def remember(self, **changes: object) -> None:
        """Change the record."""
        self.record = self.record.model_copy(update=changes)

    def spoil(self, release: Release) -> None:
        """Remember a release as bad."""
        self.remember(bad=(bad(release),))

    def _is_news(self, action: str | None) -> bool:
        last = self.record.deployment
        return last is None or last.action != action


def connect(
    url: str, walker: Walker, token: Path, ca: Path | None = None, proxy: str | None = None, **more: Any
) -> Hawkbit:
    """A device that is connected to a server."""
    settings = HawkbitSettings(url=url, token_file=token, **more)
    return Hawkbit(
        Ddi(settings, CONTROLLER, proxy, ca),
        walker.source,
        lambda: walker.record,
        lambda: attributes(walker.here, walker.record, "Raspberry Pi 5 Model B Rev 1.0"),
        walker,
    )
