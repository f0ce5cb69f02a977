"""Messages ``detections/<camera>``: the objects of processed frames, at a limited rate."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edgeagent.accuracy.live.feedback_handler import FeedbackTopic
from edgeagent.daemon.part import AgentPart
from edgeagent.detection.pipeline import Result
from edgeagent.imaging.frame import Frame
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.contract.messages import DetectionsMessage, PublishedDetection
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.rate_limit import RateLimit
from edgeagent.timing.utc import utc_time
from edgeagent.vision.detections import Detections


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
        self._empty = settings.telemetry.detections_empty
        rate = settings.telemetry.detections_rate
        self._limits = {camera.name: RateLimit(rate) for camera in settings.cameras}

    def frame(self, result: Result) -> None:
        """Publish the detections of a frame, if the rate allows it."""
        now = time.monotonic_ns()
        wanted = len(result.detections) > 0 or self._empty
        if wanted and self._limits[result.camera].allows(now):
            if self._feedback is not None:
                self._feedback.handler.record(result)
            message = build_detections(result.frame, result.detections, result.labels, now, self._run)
            self._publisher.publish(f"detections/{result.camera}", message.payload(), qos=0)


def build_detections(
    frame: Frame, detections: Detections, labels: Sequence[str], delivered_ns: int, run: int | None
) -> DetectionsMessage:
    """Return the message of one frame.

    Args:
        frame: processed frame.
        detections: its detections, in pixels of the frame.
        labels: names of the classes.
        delivered_ns: monotonic time at which the detections are published, in ns.
        run: number of this start of the agent, None where it is unknown.
    """
    height, width = frame.image.shape[:2]
    rows = zip(
        detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True
    )
    return DetectionsMessage(
        time=utc_time(frame.captured_utc),
        run=run,
        sequence=frame.sequence,
        width=width,
        height=height,
        latency_ms=round((delivered_ns - frame.captured_ns) / 1e6, 1),
        detections=tuple(
            PublishedDetection(
                label=labels[index], score=round(score, 3), box=tuple(round(value, 1) for value in box)
            )
            for box, score, index in rows
        ),
    )
