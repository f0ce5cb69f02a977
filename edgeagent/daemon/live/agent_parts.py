"""Parts of the agent that follow changed settings, in the order in which they do."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.accuracy.live.feedback_handler import FeedbackTopic
from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.cameras import Cameras
from edgeagent.daemon.detection_messages import DetectionMessages
from edgeagent.daemon.live.following import Following
from edgeagent.daemon.live.part import LivePart
from edgeagent.daemon.live_page import LivePage
from edgeagent.daemon.retained_cameras import RetainedCameras
from edgeagent.daemon.scene_watch import SceneWatch
from edgeagent.daemon.service import Service
from edgeagent.daemon.state_messages import StateMessages
from edgeagent.daemon.watches import Watches
from edgeagent.detection.pipeline import Pipeline
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings


@dataclass(frozen=True)
class FollowingParts:
    """Parts of a running agent; those that its settings do not have are None."""

    pipeline: Pipeline
    cameras: Cameras
    scenes: SceneWatch | None
    detections: DetectionMessages | None
    feedback: FeedbackTopic | None
    watches: Watches
    adapters: Adapters
    page: LivePage | None
    retained: RetainedCameras | None
    state: StateMessages
    service: Service

    def in_order(self, agent: Following) -> tuple[LivePart, ...]:
        """Return what follows; ``agent`` takes the settings for the pipeline, after the cameras."""
        found: list[LivePart | None] = [
            self.cameras,
            agent,
            self.scenes,
            Following(self._count_objects, "cameras", "objects"),
            Following(self._watch_classes, "cameras", "objects", "model.score_threshold"),
            Following(self._look_at_pictures, "cameras"),
            Following(self._limit_rate, "adaptive", "power"),
            self.adapters,
        ]
        if (page := self.page) is not None:
            found.append(Following(lambda change: page.follow(change.after)))
        if (hard := self.watches.hard_frames) is not None:
            found.append(Following(lambda change: hard.follow(change.after), "cameras"))
        if (detections := self.detections) is not None:
            found.append(Following(lambda change: detections.follow(change.after), "cameras", "telemetry"))
        if (feedback := self.feedback) is not None:
            found.append(Following(lambda change: feedback.handler.follow(_names(change.after)), "cameras"))
        if (accuracy := self.watches.accuracy) is not None:
            paths = ("cameras", "model.score_threshold")
            found.append(Following(lambda change: accuracy.follow(change.after), *paths))
        found.append(Following(None, after=self._tell))
        if (retained := self.retained) is not None:
            topics = ("cameras", "telemetry", "tracking")
            found.append(Following(None, *topics, after=lambda change: retained.follow(change.after)))
        return tuple(part for part in found if part is not None)

    def _count_objects(self, change: SettingsChange) -> None:
        self.watches.objects.follow(change.after.objects, _names(change.after))

    def _watch_classes(self, change: SettingsChange) -> None:
        self.watches.classes.follow(change.after)
        self.watches.areas.follow(change.after)

    def _look_at_pictures(self, change: SettingsChange) -> None:
        self.watches.health.follow(change.after.cameras, change.reopened)

    def _limit_rate(self, change: SettingsChange) -> None:
        self.watches.device.follow(change.after.power, change.after.adaptive)
        self.pipeline.limit_rate(None)

    def _tell(self, change: SettingsChange) -> None:
        """Publish the state, which names cameras, and announce the device again."""
        self.state.cameras_changed(change.after.cameras, change.gone | change.reopened)
        self.service.update()


def _names(settings: Settings) -> tuple[str, ...]:
    return tuple(camera.name for camera in settings.cameras)
