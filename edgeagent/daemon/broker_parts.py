"""Publisher and topics of the agent, as far as the settings have a broker and the topics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edgeagent.accuracy.live.feedback_handler import FeedbackHandler, FeedbackTopic
from edgeagent.bundle.manifest import Manifest
from edgeagent.events.arming import Arming
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.command_topic import CommandTopic
from edgeagent.telemetry.mqtt.interface import NoPublisher, Publisher
from edgeagent.telemetry.mqtt.publisher import MqttPublisher
from edgeagent.telemetry.mqtt.spool import SPOOL, Spool

if TYPE_CHECKING:
    from edgeagent.daemon.live.commands import LiveCommands
    from edgeagent.delivery.service import Delivery


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
    settings: Settings,
    publisher: Publisher,
    delivery: Delivery | None,
    events: EventLog,
    arming: Arming | None,
    live: LiveCommands | None = None,
) -> CommandTopic | None:
    """Return the topic ``cmd``; None where commands are not accepted.

    Args:
        settings: settings of the agent.
        publisher: publisher, not yet started.
        delivery: delivery of models; None without one.
        events: receiver of an event for each command.
        arming: switch of events; None where no objects are tracked.
        live: target of ``set`` and ``undo``; None where the configuration has no file.
    """
    if not has_broker(settings) or not settings.mqtt.commands:
        return None
    # only where they are used: they take memory
    from edgeagent.daemon.command_events import record_command
    from edgeagent.delivery.update.answered_commands import ANSWERED
    from edgeagent.delivery.update.commands import Commands

    record = partial(record_command, events)
    if delivery is None:
        alone = Commands(None, state_folder(settings) / ANSWERED, record, arming=arming, live=live)
        return CommandTopic(publisher, alone)
    commands = Commands(
        delivery.updater,
        delivery.commands_file,
        record,
        agent=delivery.agent_updater,
        configuration=delivery.configuration,
        arming=arming,
        live=live,
    )
    return CommandTopic(publisher, commands)


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
