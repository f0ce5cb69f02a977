"""The daemon: builds all parts from the settings, runs them, and stops them cleanly.

This is the only module that knows all parts. Life cycle::

    verify bundle -> choose a delegate, start it in a worker -> connect to the broker -> start cameras
        -> detect -> READY with the first processed frame -> ... -> SIGTERM, SIGINT, or the end of all files
        -> stop
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from edgeagent.accuracy.live import feedback_handler
from edgeagent.accuracy.live.accuracy_watch import AccuracyWatch
from edgeagent.accuracy.live.feedback_handler import FEEDBACK, REST_S, FeedbackHandler
from edgeagent.bundle.reading import Bundle
from edgeagent.camera.capture import Camera, CameraState
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.device_report import decision_data
from edgeagent.daemon.device_watch import DeviceWatch, Trouble, explain
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.reporter import TelemetryReporter, build_detections, build_info
from edgeagent.daemon.systemd_notify import notify
from edgeagent.delivery.service import open_delivery
from edgeagent.delivery.trial.model_runner import configured_bundle
from edgeagent.delivery.update.commands import Commands
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.journal import open_journal
from edgeagent.detection.pipeline import STAGES, Pipeline, Result
from edgeagent.detection.ranking import rank_candidates
from edgeagent.detection.serving import Change
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.adapters import Adapters
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.certificates import CertificateWatch
from edgeagent.telemetry.mqtt.command_topic import BURST, PER_SECOND, CommandTopic
from edgeagent.telemetry.mqtt.publisher import REPLAY_RATE, MqttPublisher
from edgeagent.telemetry.mqtt.spool import SPOOL, Spool
from edgeagent.telemetry.run_number import next_run
from edgeagent.timing.histogram import StageTimes
from edgeagent.timing.rate_limit import RateLimit

logger = logging.getLogger(__name__)

CAMERA_STOP_S = 1.0


class Agent:
    """One device's detection daemon.

    Args:
        settings: validated.
        on_result: also called with every result, in the pipeline's finish thread.

    Raises:
        BundleError, EngineError, ConfigurationError: nothing has been started then.
    """

    def __init__(self, settings: Settings, on_result: Callable[[Result], None] | None = None) -> None:
        self._settings, self._on_result = settings, on_result
        self._state = state_folder(settings)
        self._alarms = Alarms()
        self._journal = open_journal(self._state)
        self.delivery = open_delivery(settings)
        notify("STATUS=choosing a delegate")
        self.models = (
            self.delivery.serve_first(self._serve)
            if self.delivery is not None
            else self._serve(configured_bundle(settings))
        )
        self._alarms.note(self.models.serving.state())
        if self.delivery is not None:
            self.delivery.attach(self.models, self._journal, self._on_delivery)
            self._alarms.note_deployment(self.delivery.record)
        self._over: SimpleQueue[None] = SimpleQueue()
        self.pipeline = Pipeline(
            self.models, settings.model.score_threshold, self._deliver, self._record, on_end=self.request_stop
        )
        self.cameras = [
            Camera(camera, on_frame=self.pipeline.wake, on_change=self._on_camera)
            for camera in settings.cameras
        ]
        self.times = {camera.name: StageTimes(STAGES) for camera in self.cameras}
        self._limits = {c.name: RateLimit(settings.telemetry.detections_rate) for c in self.cameras}
        self._run = run = next_run(self._state)
        self.publisher = self._make_publisher()
        self._commands = self._make_commands()
        self.events = EventLog(run, self._publish)
        self._desk, self._feedback = self._make_feedback(run)
        self._accuracy = self._make_accuracy(run)
        self._watch = DeviceWatch(
            settings.power, settings.adaptive, self._count_inferences, self._on_decision, self._on_trouble
        )
        self._reporter = TelemetryReporter(self.cameras, self.times, self.pipeline.failed, run, self._watch)
        self._certificates = CertificateWatch(settings.mqtt.tls)
        self._adapters = Adapters(settings, self.publisher, self._state, self.times, self._retained())
        self._reporting = threading.Lock()
        self._ready = False

    def run(self) -> None:
        """Start, run until :meth:`request_stop` or the end of all cameras, and stop.

        Raises:
            EdgeagentError: detection failed and cannot go on.
        """
        self.start()
        try:
            self._report_until_stopped()
        finally:
            self.stop()
        self.pipeline.raise_failure()

    def request_stop(self) -> None:
        """Ask :meth:`run` to stop; may be called from a signal handler."""
        self._over.put(None)  # unlike an event, a SimpleQueue may be used by a handler of its own waiter

    def wait(self, timeout: float) -> bool:
        """Wait for :meth:`request_stop` or the end of all cameras; False after ``timeout`` seconds."""
        try:
            self._over.get(timeout=timeout)
        except Empty:
            return False
        self._over.put(None)  # once over, always over
        return True

    def start(self) -> None:
        """Start all threads."""
        self._adapters.start()
        self.models.start()
        if self.publisher is not None:
            self.publisher.start()
        self.pipeline.start(self.cameras)
        self._watch.start()
        for camera in self.cameras:
            camera.start()
        for topic in (self._commands, self._feedback):
            if topic is not None:
                topic.start()
        if self._accuracy is not None:
            self._accuracy.start()
        if self.delivery is not None:
            self.delivery.start()
        notify("STATUS=waiting for the first frame")

    def stop(self) -> None:
        """Stop everything; a camera that hangs is left to its time-out."""
        notify("STOPPING=1")
        for topic in (self._commands, self._feedback):
            if topic is not None:
                topic.stop()
        self._watch.stop()
        self.pipeline.stop()
        if self._accuracy is not None:
            self._accuracy.stop()
        self.models.stop()
        if self.delivery is not None:
            self.delivery.stop()
        stoppers = [threading.Thread(target=c.stop, args=(CAMERA_STOP_S,)) for c in self.cameras]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        if self.publisher is not None:
            self.report()
        self._adapters.stop()
        if self.publisher is not None:
            self.publisher.stop()

    def report(self) -> Telemetry:
        """Build the telemetry of the interval that ends now, publish it and return it."""
        with self._reporting:
            publisher = self.publisher
            if self._certificates.look(time.monotonic()):
                self._alarms.tell("certificate_expires", self._certificates.problem())
                self._retain()
            telemetry = self._reporter.build(
                publisher.dropped if publisher else {},
                publisher.spool if publisher else None,
                commands_ignored=self._commands.ignored if self._commands else None,
                certificates=self._certificates.days,
            )
            self._publish("telemetry", telemetry.payload())
            self._adapters.note(telemetry)
        return telemetry

    def _publish(self, topic: str, payload: bytes) -> None:
        if self.publisher is not None:
            self.publisher.publish(topic, payload, qos=1)

    def _report_until_stopped(self) -> None:
        interval = self._settings.telemetry.interval
        due = time.monotonic() + interval
        while not self.wait(max(0.0, due - time.monotonic())):
            self.report()
            due += interval

    def _make_publisher(self) -> MqttPublisher | None:
        if self._settings.mqtt.host is None:
            return None
        spool = self._settings.telemetry.spool
        return MqttPublisher(
            self._settings.mqtt,
            self._settings.device,
            self._retained(),
            (lambda: Spool(self._state / SPOOL, spool.size, spool.age)) if spool else None,
            spool.replay if spool else REPLAY_RATE,
        )

    def _make_commands(self) -> CommandTopic | None:
        if self.publisher is None or self.delivery is None or not self._settings.mqtt.commands:
            return None
        allowance = RateLimit(PER_SECOND, BURST)
        return CommandTopic(self.publisher, Commands(self.delivery.updater), allowance=allowance)

    def _make_feedback(self, run: int | None) -> tuple[FeedbackHandler | None, CommandTopic | None]:
        accuracy, names = self._settings.accuracy, [camera.name for camera in self.cameras]
        if self.publisher is None or not accuracy.feedback:
            return None, None
        desk = FeedbackHandler(names, run, accuracy.feedback_frames, self.models.bundle.manifest)
        return desk, CommandTopic(self.publisher, desk, FEEDBACK, feedback_handler.MOST_WAITING, REST_S)

    def _make_accuracy(self, run: int | None) -> AccuracyWatch | None:
        publisher, delivery, feedback = self.publisher, self.delivery, self._feedback
        if publisher is None:
            return None
        return AccuracyWatch(
            self._settings,
            [camera.name for camera in self.cameras],
            self.models,
            self._journal,
            lambda: delivery.previous() if delivery is not None else None,
            self._desk,
            lambda: feedback.ignored if feedback is not None else 0,
            run,
            lambda payload: publisher.retain("accuracy", payload),
            self._on_drift,
        )

    def _serve(self, bundle: Bundle) -> ModelExchange:
        """Try the delegates, and let the first choice serve."""
        choice = rank_candidates(bundle, self._settings, self._journal)
        return ModelExchange(self._settings.model, choice, self._on_change)

    def _on_change(self, change: Change) -> None:
        """Say what serves from now on: as a retained alarm, and to systemd."""
        self._alarms.note(change)
        self.events.note("delegate", change.reason, serving=str(change.serving or ""), best=change.best)
        notify(f"STATUS={'detecting' if change.serving else 'not detecting'}: {change.reason}")
        if self.delivery is not None:
            self.delivery.changed(change)
        if self._accuracy is not None:
            self._accuracy.changed()
        self._retain()

    def _on_drift(self, camera: str, text: str | None) -> None:
        """Say that a camera shows something else than it used to, or that this is over."""
        self._alarms.note_drift(camera, text)
        state = "steady" if text is None else "drifted"
        self.events.note("drift", text or f"{camera} shows what it used to", camera=camera, state=state)
        self._retain()

    def _on_delivery(self) -> None:
        """Say how far an update is."""
        if self.delivery is not None:
            self._alarms.note_deployment(self.delivery.record)
        self._retain()

    def _on_trouble(self, code: Trouble, text: str | None) -> None:
        """Say that the board throttles or its supply is too weak, or that this is over."""
        logger.warning("%s: %s", code.replace("_", " "), text or "over")
        self._alarms.tell(code, text)
        self._retain()

    def _on_decision(self, decision: Decision) -> None:
        """Follow the controller of the frame rate, and say so."""
        self.pipeline.limit_rate(decision.to_fps)
        self.events.note("rate", explain(decision), **decision_data(decision))

    def _count_inferences(self) -> int:
        return sum(times.total["inference"].count for times in self.times.values())

    def _retain(self) -> None:
        retained = self._retained()
        if self.publisher is not None:
            for topic, payload in retained.items():
                self.publisher.retain(topic, payload)
        self._adapters.renew(retained)

    def _on_camera(self, camera: str, state: CameraState, text: str) -> None:
        self.events.note("camera", text, camera=camera, state=state)

    def _retained(self) -> dict[str, bytes]:
        """Return what a broker keeps of this device."""
        serving = self.models.serving
        candidate, detector = serving.candidate, serving.current(0)
        retained = {"alarm": self._alarms.message(candidate.name if candidate else None).payload()}
        if candidate is not None and detector is not None:
            facts, cameras = detector.engine.facts, self._settings.cameras
            info = build_info(serving.bundle.manifest, candidate.artefact, facts, cameras)
            retained["info"] = info.payload()
        if self.delivery is not None:
            retained |= self.delivery.retained()
        return retained

    def _deliver(self, result: Result) -> None:
        if not self._ready:
            self._ready = True
            notify("READY=1\nSTATUS=detecting")
            logger.info("first frame of camera %s: %d detections", result.camera, len(result.detections))
        if self.delivery is not None:
            self.delivery.frame(result)
        if self._accuracy is not None:
            self._accuracy.frame(result)
        if self._on_result is not None:
            self._on_result(result)
        now = time.monotonic_ns()
        self._adapters.frame(result, now)
        if self.publisher is None:
            return
        wanted = len(result.detections) > 0 or self._settings.telemetry.detections_empty
        if wanted and self._limits[result.camera].allows(now):
            if self._desk is not None:
                self._desk.published(result)
            message = build_detections(result.frame, result.detections, result.labels, now, self._run)
            self.publisher.publish(f"detections/{result.camera}", message.payload(), qos=0)

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        self.times[camera].record(stage, duration_ns)
