"""Messages ``detections/<camera>``: the objects of a frame, when they have changed or for every frame.

By change, the broker retains the last message of each camera, and the publisher repeats it at every connect:
whoever connects later knows what is there. Frames are looked at, and messages built, at a limited rate only.
"""

from __future__ import annotations

import time

from edgeagent.accuracy.live.feedback_handler import FeedbackTopic
from edgeagent.daemon.part import AgentPart
from edgeagent.detection.frame_result import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.telemetry import DetectionChangesSettings, TelemetrySettings
from edgeagent.telemetry.contract.messages import DetectionsMessage, DetectionsReason, PublishedDetection
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.utc import utc_time
from edgeagent.vision.detections import Detections
from edgeagent.vision.scene_change import ChangeLimits, SceneChange


class DetectionMessages(AgentPart):
    """Publisher of detections.

    Args:
        settings: settings of the agent.
        run: number of this start of the agent, None where it is unknown.
        publisher: receiver of the messages.
        feedback: keeps what is published, to be judged later; None where feedback is not accepted.
    """

    def __init__(
        self, settings: Settings, run: int | None, publisher: Publisher, feedback: FeedbackTopic | None
    ) -> None:
        self._run, self._publisher, self._feedback = run, publisher, feedback
        self._telemetry, self._limits, self._changes = _limits_of(settings)

    def follow(self, settings: Settings) -> None:
        """Take other settings; cameras that stay keep their last message unless its limits change."""
        before, limits, changes = self._telemetry, self._limits, self._changes
        self._telemetry, self._limits, self._changes = _limits_of(settings)
        if self._telemetry == before:
            self._limits |= {name: one for name, one in limits.items() if name in self._limits}
            self._changes |= {name: one for name, one in changes.items() if name in self._changes}

    def frame(self, result: Result) -> None:
        """Publish the detections of a frame, if the rate allows it and the mode asks for it."""
        now = time.monotonic_ns()
        mode = self._telemetry.detections
        if mode == "frames" and result.gated:
            return  # its boxes were sent with the frame before
        if mode == "frames" and not (len(result.detections) or self._telemetry.detections_empty):
            return
        if not self._limits[result.camera].allows(now):
            return
        reason: DetectionsReason | None = "frame"
        if mode == "changes":
            reason = self._changes[result.camera].reason(result.detections, now)
        if reason is None:
            return
        if self._feedback is not None:
            self._feedback.handler.record(result)
        message = build_detections(result.frame, result.detections, now, self._run, reason)
        topic = f"detections/{result.camera}"
        if reason == "frame":
            self._publisher.publish(topic, message.payload(), qos=0)
        else:
            self._publisher.retain_unacknowledged(topic, message.payload())


def _limits_of(
    settings: Settings,
) -> tuple[TelemetrySettings, dict[str, RateLimit], dict[str, SceneChange]]:
    """Return telemetry, and by camera the limit of the rate and what has changed since the last message."""
    telemetry, cameras = settings.telemetry, [camera.name for camera in settings.cameras]
    rate = 0.0 if telemetry.detections == "off" else telemetry.detections_rate
    by_change = cameras if telemetry.detections == "changes" and rate else []
    limits = change_limits(telemetry.detections_changes)
    return (
        telemetry,
        {camera: RateLimit(rate) for camera in cameras},
        {camera: SceneChange(limits) for camera in by_change},
    )


def change_limits(settings: DetectionChangesSettings) -> ChangeLimits:
    """Return the limits of the settings."""
    return ChangeLimits(settings.moved, settings.moves_every, settings.settle, settings.refresh)


def build_detections(
    frame: Frame, detections: Detections, delivered_ns: int, run: int | None, reason: DetectionsReason
) -> DetectionsMessage:
    """Return the message of one frame.

    Args:
        frame: processed frame.
        detections: its detections, in pixels of the frame, with the names of their classes.
        delivered_ns: monotonic time at which the detections are published, in ns.
        run: number of this start of the agent, None where it is unknown.
        reason: why it is published.
    """
    height, width = frame.image.shape[:2]
    rows = zip(
        detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True
    )
    return DetectionsMessage(
        time=utc_time(frame.captured_utc),
        run=run,
        sequence=frame.sequence,
        reason=reason,
        width=width,
        height=height,
        latency_ms=round((delivered_ns - frame.captured_ns) / 1e6, 1),
        detections=tuple(
            PublishedDetection(
                label=detections.labels[index],
                score=round(score, 3),
                box=tuple(round(value, 1) for value in box),
            )
            for box, score, index in rows
        ),
    )
