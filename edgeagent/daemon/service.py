"""Service of systemd that the agent is: ready, status, watchdog, stopping."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from edgeagent.camera.capture import Camera
from edgeagent.daemon.part import PART_STOP_S, AgentPart
from edgeagent.daemon.service_status import CameraSight, ServiceFacts, describe_service
from edgeagent.daemon.systemd import notify
from edgeagent.daemon.watchdog import Watchdog
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.pipeline import Pipeline
from edgeagent.detection.serving_state import Change
from edgeagent.telemetry.mqtt.interface import ConnectionState, Publisher
from edgeagent.timing.progress import Progress, ProgressSample

logger = logging.getLogger(__name__)

LONGEST_MODEL_START_S = 3600.0
"""Longest start of a model with the trials of all its delegates; each has a deadline of its own."""

BROKER: dict[ConnectionState, str] = {
    "connecting": "not reached yet",
    "connected": "connected",
    "refused": "refuses the connection",
    "disconnected": "cannot be reached",
}


class Service(AgentPart):
    """Notifications of the agent to systemd. It is ready before it has a model, a camera or a broker.

    Args:
        publisher: connection to the broker.
        has_broker: whether one is configured.

    Attributes:
        progress: of the thread that runs the agent.
        watchdog: watchdog of all parts.
    """

    def __init__(self, publisher: Publisher, has_broker: bool) -> None:
        self._publisher, self._has_broker = publisher, has_broker
        self._models: ModelExchange | None = None
        self._cameras: Sequence[Camera] = ()
        self._began_ns = time.monotonic_ns()
        self._reason = "delegates are tried"
        self._detected = False
        self.progress = Progress("supervision")
        self.watchdog = Watchdog(self.status)
        self.watchdog.watch(lambda: [self.progress.sample()])
        if publisher.progress is not None:
            outbox = publisher.progress
            self.watchdog.watch(lambda: [outbox.sample()])

    def begin(self) -> None:
        """Notify that the agent is ready: its settings are read, and what supervises it runs."""
        self.progress.expect(LONGEST_MODEL_START_S, "starting the model")
        notify("READY=1")
        self.watchdog.start()

    def attach(self, models: ModelExchange, pipeline: Pipeline, cameras: Sequence[Camera]) -> None:
        """Watch the parts that need a model."""
        self._models, self._cameras = models, cameras
        self.watchdog.watch(lambda: [models.serving.progress.sample()])
        self.watchdog.watch(lambda: [pipeline.sample()])
        self.watchdog.watch(self._camera_samples)

    def stop(self, timeout_s: float = PART_STOP_S) -> None:
        """Notify that the agent stops."""
        self.watchdog.stop(timeout_s)

    def frame(self, result: Result) -> None:
        """Notify the first processed frame."""
        if not self._detected:
            self._detected = True
            self.watchdog.update()
            logger.info("first frame of camera %s: %d detections", result.camera, len(result.detections))

    def changed(self, change: Change) -> None:
        """Notify whether the agent detects, and why not."""
        self._reason = change.reason
        self.watchdog.update()

    def update(self) -> None:
        """Notify a change of a camera."""
        self.watchdog.update()

    def status(self) -> str:
        """Return the status line."""
        now_ns = time.monotonic_ns()
        candidate, reason = None, self._reason
        if self._models is not None:
            candidate, doing = self._models.serving.candidate, self._models.serving.progress.sample().doing
            reason = doing if self._models.serving.serving_state == "replacing" else reason
        return describe_service(
            ServiceFacts(
                cameras=[self._sight(camera, now_ns) for camera in self._cameras],
                engine=candidate.delegate.name if candidate is not None else None,
                trying=self._models.serving.trying if self._models is not None else None,
                reason=reason,
                broker=BROKER[self._publisher.state] if self._has_broker else None,
                detected=self._detected,
            )
        )

    def _sight(self, camera: Camera, now_ns: int) -> CameraSight:
        last_ns = camera.slot.last_captured_ns or self._began_ns
        return CameraSight(camera.name, camera.state, (now_ns - last_ns) / 1e9)

    def _camera_samples(self) -> list[ProgressSample]:
        """Return the samples of the cameras that have not ended; while one goes on, the others may hang."""
        return [camera.progress.sample() for camera in self._cameras if camera.state != "ended"]
