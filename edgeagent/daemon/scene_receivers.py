"""Receivers of what the scenes report, as far as the settings have them."""

from __future__ import annotations

from collections.abc import Callable

from edgeagent.daemon.scene_messages import SceneMessages
from edgeagent.daemon.scene_watch import SceneReceiver
from edgeagent.events.arming import Arming
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics


def build_scene_receivers(
    settings: Settings,
    run: int | None,
    publisher: Publisher,
    events: EventLog,
    arming: Arming,
    pictures: Callable[[], bool],
) -> list[SceneReceiver]:
    """Return the receivers: the messages of the contract, and those of Frigate where they are configured.

    Args:
        settings: settings of the agent.
        run: number of this start of the agent, None where it is unknown.
        publisher: receiver of the messages.
        events: receiver of the events of zones and lines.
        arming: switch of these events.
        pictures: returns whether pictures of objects are published.
    """

    def armed() -> bool:
        return arming.armed

    receivers: list[SceneReceiver] = [SceneMessages(run, publisher, events, armed, pictures)]
    if settings.frigate is not None:
        from edgeagent.telemetry.frigate.topics import FrigateTopics

        places = {camera.name for camera in settings.cameras}
        places.update(zone.name for camera in settings.cameras for zone in camera.zones)
        record = RetainedTopics(state_folder(settings) / "frigate-retained.json")
        receivers.append(FrigateTopics(settings.frigate.prefix, publisher, armed, record, places))
    return receivers
