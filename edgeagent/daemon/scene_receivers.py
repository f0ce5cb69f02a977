"""Scenes of the cameras and receivers of what they report, as far as the settings have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeagent.daemon.actions import build_actions
from edgeagent.daemon.live_page import LivePage
from edgeagent.daemon.part import Background
from edgeagent.daemon.scene_messages import SceneMessages
from edgeagent.daemon.scene_watch import SceneReceiver, SceneWatch
from edgeagent.detection.motion_gate import MotionGate
from edgeagent.events.arming import Arming
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.telemetry.mqtt.retained_topics import RetainedTopics


@dataclass(frozen=True)
class SceneParts:
    """Parts of the agent that track objects; None where the settings have none.

    Attributes:
        scenes: tracks, zones and lines of all cameras.
        actions: thread that runs the actions of the settings.
    """

    scenes: SceneWatch | None = None
    actions: Background | None = None


def build_scene_parts(
    settings: Settings,
    run: int | None,
    publisher: Publisher,
    events: EventLog,
    arming: Arming | None,
    pictures: Callable[[], bool],
    page: LivePage | None,
    gates: Mapping[str, MotionGate],
) -> SceneParts:
    """Return the scenes, their receivers and the actions.

    Args:
        settings: settings of the agent.
        run: number of this start of the agent, None where it is unknown.
        publisher: receiver of the messages.
        events: receiver of the events of zones and lines.
        arming: switch of these events; None where no objects are tracked.
        pictures: returns whether pictures of objects are published.
        page: live page; None without one.
        gates: motion gates by camera.
    """
    if arming is None:
        return SceneParts()
    switch = arming
    receivers = build_scene_receivers(settings, run, publisher, events, switch, pictures)
    acting, actions = None, build_actions(settings, publisher, lambda: switch.armed)
    if actions is not None:
        receivers.append(actions)
        acting = Background(actions.start, actions.stop)
    if page is not None:
        receivers.append(page)
    return SceneParts(SceneWatch(settings, receivers, gates), acting)


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
