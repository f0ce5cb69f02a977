"""Signed configuration of the agent: what works now, and the thread that follows the channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgeagent.camera.capture import Camera
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.state_messages import StateMessages
from edgeagent.delivery.configuration.deployment_steps import ConfigurationContext
from edgeagent.delivery.configuration.record import ConfigurationDeployment, WorkingParts
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.delivery.configuration.updater import ConfigurationUpdater
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.telemetry.mqtt.interface import Publisher

if TYPE_CHECKING:
    from edgeagent.delivery.service import Delivery

TEXTS = {
    "good": "has passed its probation",
    "rejected": "was refused",
    "rolled_back": "was rolled back",
}


class PartsInSight:
    """What works of the agent, for the trial of a configuration.

    Args:
        models: model that serves.
        cameras: all cameras.
        publisher: connection to the broker.
    """

    def __init__(self, models: ModelExchange, cameras: Sequence[Camera], publisher: Publisher) -> None:
        self._models, self._cameras, self._publisher = models, cameras, publisher
        self._seen: set[str] = set()

    def frame(self, result: Result) -> None:
        """Take note of a processed frame."""
        self._seen.add(result.camera)

    def look(self) -> WorkingParts:
        """Return what works now."""
        cameras = [one.name for one in self._cameras if one.name in self._seen and one.state != "lost"]
        return WorkingParts(
            cameras=tuple(cameras),
            broker=self._publisher.state == "connected",
            detecting=bool(self._seen) and self._models.serving.state().serving is not None,
        )


class SignedConfiguration(AgentPart):
    """Part of the agent that follows the configurations of the channel.

    Args:
        served: configuration that serves; with a store.
        delivery: delivery, whose verified indexes are followed.
        parts: what works.
        state: receiver of the state of configurations, and of the ends of their deployments.
        restart: makes the agent start again.
    """

    def __init__(
        self,
        served: ServedConfiguration,
        delivery: Delivery,
        parts: PartsInSight,
        state: StateMessages,
        restart: Callable[[], None],
    ) -> None:
        self._parts, self._state, self._delivery = parts, state, delivery
        context = ConfigurationContext(
            served,
            delivery.new_client("configuration"),
            delivery.device,
            parts.look,
            delivery.model_on_trial,
            restart,
            self._ended,
        )
        self.updater = ConfigurationUpdater(context, self._changed)
        delivery.follow_configurations(self.updater)

    def start(self) -> None:
        """Start to follow the channel, and to judge a trial."""
        self.updater.start()

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Stop; this does not count against a configuration on trial."""
        self.updater.stop(timeout_s)

    def frame(self, result: Result) -> None:
        """Take note of a processed frame."""
        self._parts.frame(result)

    def _changed(self) -> None:
        self._state.delivery_changed(self._delivery.problems())

    def _ended(self, deployment: ConfigurationDeployment) -> None:
        version = deployment.configuration.version
        text, data = f"configuration {version} {TEXTS[deployment.state]}", {"configuration": version}
        if deployment.reason is not None:
            text, data = f"{text}: {deployment.reason}", {**data, "reason": deployment.reason}
        self._state.configuration_ended(text, state=deployment.state, **data)
