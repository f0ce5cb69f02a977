"""Watches of the agent: what is looked at beside detection, and reported with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeagent.accuracy.live.accuracy_watch import AccuracyWatch
from edgeagent.accuracy.live.agreement_run import DeviceModels
from edgeagent.accuracy.live.feedback_handler import FeedbackTopic
from edgeagent.daemon.accuracy_receivers import accuracy_callbacks
from edgeagent.daemon.area_watch import AreaWatch
from edgeagent.daemon.broker_parts import has_broker
from edgeagent.daemon.camera_health import CameraHealth
from edgeagent.daemon.class_watch import ClassWatch
from edgeagent.daemon.device_watch import DeviceWatch, WatchCallbacks
from edgeagent.daemon.hard_frames import HardFrameWatch
from edgeagent.daemon.object_watch import ObjectWatch
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.state_messages import StateMessages
from edgeagent.settings.schema import Settings


@dataclass(frozen=True)
class Watches:
    """Watches of one agent; those that its settings do not have are None.

    Attributes:
        device: heat, power and load of the board.
        objects: presence of objects.
        classes: classes of whole pictures.
        areas: classes of pixels.
        health: pictures of the cameras.
        accuracy: golden runs, drift and agreement; None without a broker.
        hard_frames: frames in which the model is unsure.
    """

    device: DeviceWatch
    objects: ObjectWatch
    classes: ClassWatch
    areas: AreaWatch
    health: CameraHealth
    accuracy: AccuracyWatch | None
    hard_frames: HardFrameWatch | None


def build_watches(
    settings: Settings,
    run: int | None,
    models: DeviceModels,
    feedback: FeedbackTopic | None,
    state: StateMessages,
    inferences: Callable[[], int],
    limit_rate: Callable[[Decision], None],
) -> Watches:
    """Return the watches, which tell ``state`` what they see.

    Args:
        settings: settings of the agent.
        run: number of this start of the agent, None where it is unknown.
        models: models of the device, for the agreement of two of them.
        feedback: receiver of labels from people; None where they are not accepted.
        state: receiver of changes.
        inferences: returns the number of inferences so far.
        limit_rate: limits the frame rate.
    """
    hard_frames = HardFrameWatch(settings) if settings.hard_frames is not None else None
    if hard_frames is not None and feedback is not None:
        hard_frames.take_feedback(feedback.handler)
    results = accuracy_callbacks(state, hard_frames)
    reactions = WatchCallbacks(limit_rate, state.board_changed)
    names = [camera.name for camera in settings.cameras]
    return Watches(
        device=DeviceWatch(settings.power, settings.adaptive, inferences, reactions),
        objects=ObjectWatch(settings.objects, names, run, state.presence_changed),
        classes=ClassWatch(settings, state.class_changed),
        areas=AreaWatch(settings, state.area_changed),
        health=CameraHealth(settings.cameras, state.camera_health_changed),
        accuracy=AccuracyWatch(settings, models, feedback, run, results) if has_broker(settings) else None,
        hard_frames=hard_frames,
    )
