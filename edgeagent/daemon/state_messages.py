"""State of the device as messages: ``alarm``, ``info``, ``deployment`` and ``update``, and events.

A change of any kind updates the alarms, publishes an event where the contract has one, and publishes all
retained messages again, to the broker and to the adapters.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from edgeagent.camera.health import HealthState
from edgeagent.camera.status import CameraState
from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.device_watch import BoardProblem
from edgeagent.daemon.info_message import build_info
from edgeagent.daemon.object_watch import PresenceChange
from edgeagent.daemon.part import AgentPart
from edgeagent.daemon.rate_controller import Decision
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.serving_state import Change
from edgeagent.events.arming import Arming
from edgeagent.events.picture_class import ClassChange
from edgeagent.sensors.board import read_board
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.telemetry.contract.armed import ArmedMessage
from edgeagent.telemetry.contract.messages import ProblemCode
from edgeagent.telemetry.contract.presence import Presence
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.certificates import CertificateExpiry
from edgeagent.telemetry.mqtt.interface import Publisher
from edgeagent.timing.utc import utc_time

if TYPE_CHECKING:
    from edgeagent.delivery.service import Delivery
    from edgeagent.delivery.state.record import Record

logger = logging.getLogger(__name__)


class RetainedMessages:
    """Builder of the messages that the broker retains.

    Args:
        alarms: present problems.
        cameras: settings of all cameras.
        configuration: returns the version of the signed configuration that serves; None without one.
        arming: switch of events; None where no objects are tracked.
    """

    def __init__(
        self,
        alarms: Alarms,
        cameras: Sequence[CameraSettings],
        configuration: Callable[[], str | None] = lambda: None,
        arming: Arming | None = None,
    ) -> None:
        self._alarms, self._cameras, self._configuration = alarms, cameras, configuration
        self._arming = arming
        self._models: ModelExchange | None = None
        self._delivery: Delivery | None = None

    def set_cameras(self, cameras: Sequence[CameraSettings]) -> None:
        """Set the cameras, as their settings have changed."""
        self._cameras = cameras

    def set_models(self, models: ModelExchange, delivery: Delivery | None) -> None:
        """Set the model that serves, and the source of ``deployment`` and ``update``."""
        self._models, self._delivery = models, delivery

    def build(self) -> dict[str, bytes]:
        """Return the payloads by topic; ``info`` is absent while nothing serves."""
        if self._models is None:
            return {"alarm": self._alarms.message(None).payload()}
        serving = self._models.serving
        candidate, detector = serving.candidate, serving.current(0)
        retained = {"alarm": self._alarms.message(candidate.name if candidate else None).payload()}
        if candidate is not None and detector is not None:
            facts, manifest = detector.engine.facts, serving.bundle.manifest
            info = build_info(manifest, candidate.artefact, facts, self._cameras)
            info = info.model_copy(update={"configuration": self._configuration()})
            retained["info"] = info.payload()
        if self._delivery is not None:
            retained |= self._delivery.retained()
        if self._arming is not None:
            retained["armed"] = build_armed_message(self._arming).payload()
        return retained


def build_armed_message(arming: Arming) -> ArmedMessage:
    """Return the message ``armed``."""
    return ArmedMessage(
        time=utc_time(time.time()),
        boot_id=read_board().boot_id,
        armed=arming.armed,
        since=utc_time(arming.since),
    )


class StateMessages(AgentPart):
    """Publisher of the device's state; its methods may be called from any thread.

    Args:
        alarms: present problems.
        retained: builder of the retained messages.
        events: publisher of events.
        publisher: receiver of the retained messages.
        adapters: further receivers of the retained messages.
    """

    def __init__(
        self,
        alarms: Alarms,
        retained: RetainedMessages,
        events: EventLog,
        publisher: Publisher,
        adapters: Adapters,
    ) -> None:
        self._alarms, self._retained, self._events = alarms, retained, events
        self._publisher, self._adapters = publisher, adapters
        self._not_started: str | None = None
        self._order = threading.RLock()
        self._lost: set[str] = set()

    def publish(self) -> None:
        """Publish all retained messages."""
        with self._order:  # of two threads, the one that builds last publishes last
            retained = self._retained.build()
            for topic, payload in retained.items():
                self._publisher.retain(topic, payload)
            self._adapters.update(retained)

    def starting(self) -> None:
        """Publish that the agent has started and does not detect yet."""
        self._alarms.update("starting", "the model is being loaded, and its engines measured")
        self.publish()

    def not_started(self, reason: str) -> None:
        """Publish that no delegate works at the start, and that it is tried again; each reason once."""
        if reason != self._not_started:
            self._not_started = reason
            self._alarms.update("starting", None)
            self.changed(Change(None, False, reason))

    def started(self, models: ModelExchange, delivery: Delivery | None) -> None:
        """Publish what serves, and the state of the deployment."""
        self._alarms.update("starting", None)
        self._retained.set_models(models, delivery)
        change = models.serving.state()
        self._alarms.update_serving(change)
        if delivery is not None:
            self._alarms.update_delivery(delivery.problems())
        if self._not_started is not None:
            self._record(change)
        self.publish()

    def changed(self, change: Change) -> None:
        """Publish which detector serves."""
        self._alarms.update_serving(change)
        self._record(change)
        self.publish()

    def camera_changed(self, camera: str, state: CameraState, text: str) -> None:
        """Publish the state of a camera; a lost camera is a problem until it runs again or has ended."""
        lost = f"camera {camera} is lost: {text}" if state == "lost" else None
        self._alarms.update_camera("camera_lost", camera, lost)
        self._events.record("camera", text, camera=camera, state=state)
        if lost is not None or camera in self._lost:
            (self._lost.discard if lost is None else self._lost.add)(camera)
            self.publish()

    def cameras_changed(self, cameras: Sequence[CameraSettings], closed: Collection[str]) -> None:
        """Publish other cameras; those whose stream was closed have no problem any more."""
        self._retained.set_cameras(cameras)
        for camera in closed:
            self._alarms.update_camera("camera_lost", camera, None)
            self._alarms.update_camera("camera_unhealthy", camera, None)
            self._lost.discard(camera)
        self.publish()

    def camera_health_changed(self, camera: str, state: HealthState, text: str | None) -> None:
        """Publish that the picture of a camera shows nothing useful, or with None that it does again."""
        self._alarms.update_camera("camera_unhealthy", camera, text)
        about = text or f"the picture of camera {camera} is as usual again"
        logger.warning("%s", about)
        self._events.record("camera_health", about, camera=camera, state=state)
        self.publish()

    def drift_changed(self, camera: str, text: str | None) -> None:
        """Publish that drift of a camera has begun, or with None that it is over."""
        self._alarms.update_drift(camera, text)
        state = "steady" if text is None else "drifted"
        self._events.record("drift", text or f"the drift of {camera} is over", camera=camera, state=state)
        self.publish()

    def agreement_changed(self, text: str | None) -> None:
        """Publish that the agreement with the reference model is low, or with None that it no longer is."""
        self._alarms.update("low_agreement", text)
        state = "ok" if text is None else "low"
        about = text or "the agreement with the reference model is no longer low"
        self._events.record("agreement", about, state=state)
        self.publish()

    def accuracy_changed(self, payload: bytes) -> None:
        """Publish the message ``accuracy``."""
        self._publisher.retain("accuracy", payload)
        self._adapters.update_accuracy(payload)

    def deployment_changed(
        self, record: Record, problems: Mapping[ProblemCode, str | None] | None = None
    ) -> None:
        """Publish the state of the deployment, and the problems of delivery where they are known."""
        self._alarms.update_deployment(record)
        self._alarms.update_delivery(problems or {})
        self.publish()

    def delivery_changed(self, problems: Mapping[ProblemCode, str | None]) -> None:
        """Publish the problems of delivery, and what delivery reports beside models."""
        self._alarms.update_delivery(problems)
        self.publish()

    def configuration_ended(self, text: str, **data: str) -> None:
        """Publish the event that the deployment of a signed configuration has ended."""
        self._events.record("update", text, **data)

    def delivery_unavailable(self, text: str) -> None:
        """Publish that no models are delivered until the next start."""
        logger.error("%s", text)
        self._alarms.update("delivery_unavailable", text)
        self.publish()

    def board_changed(self, code: BoardProblem, text: str | None) -> None:
        """Publish a problem of the board, or with None that it is over."""
        about = f"{code.replace('_', ' ')}: {text or 'over'}"
        logger.warning("%s", about)
        self._alarms.update(code, text)
        self._events.record("board", about, problem=code, state="ended" if text is None else "begun")
        self.publish()

    def presence_changed(self, message: Presence, changes: Sequence[PresenceChange]) -> None:
        """Publish which labels the cameras see, and which of them have appeared or disappeared."""
        for change in changes:
            state = "appeared" if change.present else "disappeared"
            text = f"{change.label} {state} at camera {change.camera}"
            place = {"camera": change.camera, "label": change.label}
            self._events.record("presence", text, **place, state=state, count=change.count)
        self._publisher.retain("presence", message.payload())

    def class_changed(self, camera: str, change: ClassChange) -> None:
        """Publish that a camera's picture has another class."""
        known = {"label": change.label, "before": change.before, "score": change.score}
        data = {name: value for name, value in known.items() if value is not None}
        self._events.record("label", change.describe(camera), camera=camera, **data)

    def area_changed(self, camera: str, zone: str, change: ClassChange) -> None:
        """Publish that another class covers a zone of a camera."""
        known = {"label": change.label, "before": change.before, "share": change.score}
        data = {name: value for name, value in known.items() if value is not None}
        before = f", before {change.before}" if change.before is not None else ""
        text = f"zone {zone} of camera {camera} is covered by {change.label}{before}"
        if change.label is None:
            text = f"zone {zone} of camera {camera} is no longer covered by {change.before}"
        self._events.record("label", text, camera=camera, zone=zone, **data)

    def certificate_changed(self, found: CertificateExpiry) -> None:
        """Publish that a certificate expires soon, has expired, or is renewed."""
        logger.warning("%s", found.text)
        data = {"certificate": found.name, "file": str(found.file), "state": found.state}
        self._events.record("certificate", found.text, **data, days_left=round(found.days, 1))

    def certificates_changed(self, text: str | None) -> None:
        """Publish which certificates expire, or with None that none does."""
        self._alarms.update("certificate_expires", text)
        self.publish()

    def fault_changed(self, text: str | None) -> None:
        """Publish that a part has failed by a bug, or with None that all have run without a fault since."""
        self._alarms.update("internal_error", text)
        about = text or "all parts have run without a fault since"
        self._events.record("fault", about, state="ended" if text is None else "begun")
        self.publish()

    def page_changed(self, text: str | None) -> None:
        """Publish that the live page cannot be reached, or with None that it can again."""
        self._alarms.update("page_unreachable", text)
        self.publish()

    def rate_changed(self, decision: Decision) -> None:
        """Publish a new limit of the frame rate."""
        self._events.record("rate", decision.describe(), **decision.data())

    def _record(self, change: Change) -> None:
        self._events.record("delegate", change.reason, serving=str(change.serving or ""), best=change.best)
