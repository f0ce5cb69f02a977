"""Publisher and topics of the agent, as far as the settings have a broker and the topics."""

from __future__ import annotations

from functools import partial

from edgeagent.accuracy.live.feedback_handler import FeedbackHandler, FeedbackTopic
from edgeagent.bundle.manifest import Manifest
from edgeagent.delivery.service import Delivery
from edgeagent.delivery.update.commands import Commands
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.mqtt.command_topic import CommandTopic
from edgeagent.telemetry.mqtt.interface import NoPublisher, Publisher
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.mqtt.spool import SPOOL, Spool


def has_broker(settings: Settings) -> bool:
    """Return whether a broker is configured."""
    return settings.mqtt.host is not None


def build_publisher(settings: Settings) -> Publisher:
    """Return the publisher of the device, with its spool; one that does nothing without a broker.

    Raises:
        ConfigurationError: see :class:`edgeagent.telemetry.mqtt.publisher.MqttPublisher`.
    """
    if not has_broker(settings):
        return NoPublisher()
    spool, path = settings.telemetry.spool, state_folder(settings) / SPOOL
    if spool is None:
        return MqttPublisher(settings.mqtt, settings.device)
    open_spool = partial(Spool, path, spool.size, spool.age)
    return MqttPublisher(settings.mqtt, settings.device, open_spool, spool.replay)


def build_commands(
    settings: Settings, publisher: Publisher, delivery: Delivery | None
) -> CommandTopic | None:
    """Return the topic ``cmd``; None where commands are not accepted, or there is no delivery to command."""
    if delivery is None or not has_broker(settings) or not settings.mqtt.commands:
        return None
    return CommandTopic(publisher, Commands(delivery.updater))


def build_feedback(
    settings: Settings, publisher: Publisher, run: int | None, manifest: Manifest
) -> FeedbackTopic | None:
    """Return the topic ``feedback``; None where feedback is not accepted.

    Args:
        settings: settings of the agent.
        publisher: publisher, not yet started.
        run: number of this start of the agent, None where it is unknown.
        manifest: manifest of the serving model.
    """
    if not has_broker(settings) or not settings.accuracy.feedback:
        return None
    cameras = [camera.name for camera in settings.cameras]
    handler = FeedbackHandler(cameras, run, settings.accuracy.feedback_frames, manifest)
    return FeedbackTopic(publisher, handler)
