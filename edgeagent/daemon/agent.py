"""Agent: composition of all parts from the settings, and their life cycle.

::

    connect to the broker -> verify bundle -> choose a delegate, start it in a worker -> start cameras
        -> detect -> READY with the first processed frame -> ... -> SIGTERM, SIGINT, or the end of all files
        -> stop

Every part follows the protocol :class:`edgeagent.daemon.part.AgentPart`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from edgeagent.accuracy.live.accuracy_watch import AccuracyCallbacks, AccuracyWatch
from edgeagent.accuracy.live.agreement_run import DeviceModels
from edgeagent.bundle.reading import Bundle
from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.broker_parts import (
    build_commands,
    build_feedback,
    build_publisher,
    has_broker,
)
from edgeagent.daemon.camera_health import CameraHealth
from edgeagent.daemon.cameras import Cameras
from edgeagent.daemon.detection_messages import DetectionMessages
from edgeagent.daemon.device_watch import DeviceWatch, WatchCallbacks
from edgeagent.daemon.fault_watch import FaultWatch
from edgeagent.daemon.model_start import keep_starting
from edgeagent.daemon.object_watch import ObjectWatch
from edgeagent.daemon.part import PART_STOP_S, AgentPart, Background, ResultCallback, present
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.reporter import CameraCounters, TelemetryReporter
from edgeagent.daemon.state_messages import RetainedMessages, StateMessages
from edgeagent.daemon.systemd import ServiceStatus, notify
from edgeagent.daemon.telemetry_messages import TelemetryMessages
from edgeagent.daemon.update_events import UpdateEvents
from edgeagent.delivery.first_model import open_store, serve_first
from edgeagent.delivery.service import Delivery
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import Store
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.journal import open_journal
from edgeagent.detection.pipeline import STAGES, Pipeline, Result
from edgeagent.detection.ranking import rank_candidates
from edgeagent.detection.serving import Change
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.certificates import CertificateWatch
from edgeagent.telemetry.run_number import next_run
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.histogram import StageTimes

STOP_S = 2.5
"""For all parts together, so that the process ends within 3 s."""
LAST_MESSAGES_S = 1.25  # of these, kept for the last telemetry and ``stopped``


class Agent:
    """Detection daemon of one device.

    The constructor connects to the broker first, and reports that the agent starts. While no delegate works
    it reports that, too, and tries all delegates again with back-off.

    Args:
        settings: validated settings.
        on_result: also called with every result, in the pipeline's finish thread.
        keep_trying: whether to try again while no delegate works; otherwise that is an error.

    Attributes:
        models: model that serves.
        delivery: delivery of models; None where it is not configured, or the state folder cannot be used.
        publisher: publisher of the device; one that does nothing where no broker is configured.
        events: publisher of events.
        pipeline: detection pipeline.
        cameras: cameras, in the order of the settings.
        times: stage times by camera.

    Raises:
        BundleError, NoCandidateError, ConfigurationError: the agent can never work with these settings;
            nothing runs.
        EngineError: no delegate works, and ``keep_trying`` is false.
    """

    def __init__(
        self,
        settings: Settings,
        on_result: Callable[[Result], None] | None = None,
        *,
        keep_trying: bool = True,
    ) -> None:
        self._settings, state = settings, state_folder(settings)
        self._over: SimpleQueue[None] = SimpleQueue()
        self.times = {camera.name: StageTimes(STAGES) for camera in settings.cameras}

        # Messages
        self._journal = open_journal(state)
        store = open_store(settings)
        run = next_run(state)
        self.publisher = build_publisher(settings)
        self.events = EventLog(run, partial(self.publisher.publish, qos=1))
        adapters = Adapters(settings, self.publisher, state, self.times)
        alarms = Alarms()
        if store is not None:
            alarms.update_deployment(store.record)
        retained = RetainedMessages(alarms, settings.cameras)
        self._state = StateMessages(alarms, retained, self.events, self.publisher, adapters)
        self._updates = UpdateEvents(state, self.events)
        self._faults = FaultWatch(self._state.fault_changed, self.request_stop)
        self._state.starting()
        self._faults.start()
        self.publisher.start()
        try:
            self._build(store, on_result, keep_trying, run, adapters)
        except BaseException:
            self.publisher.stop()
            self._faults.stop()
            raise

    def _build(
        self,
        store: Store | None,
        on_result: Callable[[Result], None] | None,
        keep_trying: bool,
        run: int | None,
        adapters: Adapters,
    ) -> None:
        """Start the model, and build all parts that need one."""
        settings, broker = self._settings, has_broker(self._settings)

        # Model
        notify("STATUS=choosing a delegate")
        self.models = self._serve(store, keep_trying)
        if store is not None:
            self._deployment_changed(store.record)  # the start may have ended it
        self.delivery = (
            None
            if store is None
            else Delivery(settings, store, self.models, self._journal, self._deployment_changed)
        )
        self._state.started(self.models, self.delivery)

        # Detection
        self.pipeline = Pipeline(
            self.models, settings.model.score_threshold, self._frame, self._record, on_end=self.request_stop
        )
        cameras = Cameras(settings.cameras, self.pipeline.wake, self._state.camera_changed)
        self.cameras = cameras.cameras

        # Requests, accuracy and telemetry
        commands = build_commands(settings, self.publisher, self.delivery)
        feedback = build_feedback(settings, self.publisher, run, self.models.bundle.manifest)
        previous = self.delivery.previous if self.delivery is not None else lambda: None
        models = DeviceModels(self.models, self._journal, previous)
        results = AccuracyCallbacks(
            self._state.accuracy_changed, self._state.drift_changed, self._state.agreement_changed
        )
        accuracy = AccuracyWatch(settings, models, feedback, run, results) if broker else None
        reactions = WatchCallbacks(self._limit_rate, self._state.board_changed)
        watch = DeviceWatch(settings.power, settings.adaptive, self._count_inferences, reactions)
        names = [camera.name for camera in settings.cameras]
        objects = ObjectWatch(settings.objects, names, run, self._state.presence_changed)
        counters = CameraCounters(self.cameras, self.times, self.pipeline.failed, objects)
        reporter = TelemetryReporter(counters, run, watch)
        adapters.read_live(lambda telemetry: reporter.refresh(telemetry, self.publisher.dropped))
        certificates = CertificateWatch(
            settings.mqtt.tls, self._state.certificates_changed, self._state.certificate_changed
        )
        self._telemetry = TelemetryMessages(reporter, self.publisher, adapters, certificates, commands)

        # Parts
        service = ServiceStatus()
        serving = Background(self.models.start, self.models.stop)
        pipeline = Background(lambda: self.pipeline.start(self.cameras), self.pipeline.stop)
        taking_commands = Background(commands.start, commands.stop) if commands else None
        taking_feedback = Background(feedback.requests.start, feedback.requests.stop) if feedback else None
        detections = DetectionMessages(settings, run, self.publisher, feedback) if broker else None
        self._parts: tuple[AgentPart, ...] = present(
            self._state,
            adapters,  # before all threads, as its port may be in use
            serving,
            pipeline,
            watch,
            cameras,
            taking_commands,
            taking_feedback,
            accuracy,
            self.delivery,
            CameraHealth(settings.cameras, self._state.camera_health_changed),
            objects,
            ResultCallback(on_result) if on_result else None,
            detections,
            service,
        )
        self._stop_order: tuple[AgentPart, ...] = present(
            service,
            taking_commands,
            taking_feedback,
            watch,
            pipeline,  # before what serves, so that frames in flight are finished
            serving,  # ends all waits for an engine that hangs
            accuracy,
            self.delivery,
            cameras,
            detections,
        )
        self._last_messages: tuple[AgentPart, ...] = (
            self._telemetry,  # the last interval, before its receivers stop
            adapters,
        )

    def run(self) -> None:
        """Start, run until :meth:`request_stop` or the end of all cameras, and stop.

        Raises:
            EdgeagentError: a part cannot start, or detection has failed.
        """
        self.start()
        try:
            self._report_until_stopped()
        finally:
            self.stop()
        self.pipeline.raise_failure()
        self._faults.raise_fatal()

    def request_stop(self) -> None:
        """Make :meth:`run` stop; may be called from a signal handler."""
        self._over.put(None)  # a SimpleQueue, unlike an event, is safe in a signal handler of its own waiter

    def wait(self, timeout: float) -> bool:
        """Wait for :meth:`request_stop` or the end of all cameras; return False after ``timeout`` seconds."""
        try:
            self._over.get(timeout=timeout)
        except Empty:
            return False
        self._over.put(None)  # every later call returns at once
        return True

    def start(self) -> None:
        """Start all parts.

        Raises:
            ConfigurationError: a port cannot be opened; nothing runs.
        """
        try:
            for part in self._parts:
                part.start()
        except BaseException:
            self.models.stop()
            self.publisher.stop()
            self._faults.stop()
            raise

    def stop(self) -> None:
        """Stop all parts within :data:`STOP_S`; a camera, engine, disk or broker that hangs is abandoned."""
        deadline = Deadline(STOP_S)
        for part in self._stop_order:
            part.stop(deadline.share_s(PART_STOP_S, keep_s=LAST_MESSAGES_S))
        for part in self._last_messages:
            part.stop(deadline.share_s(PART_STOP_S, keep_s=LAST_MESSAGES_S / 2))
        self.publisher.stop(deadline.left_s)
        self._faults.stop()

    def report(self) -> Telemetry:
        """Publish the telemetry of the interval that ends now, and return it."""
        return self._telemetry.publish()

    def _report_until_stopped(self) -> None:
        interval = self._settings.telemetry.interval
        due = time.monotonic() + interval
        while not self.wait(max(0.0, due - time.monotonic())):
            self.report()
            self._faults.check()
            due += interval

    def _serve(self, store: Store | None, keep_trying: bool) -> ModelExchange:
        """Start the model that serves first."""

        def start() -> ModelExchange:
            return serve_first(self._settings, store, self._start_model)

        return keep_starting(start, self._state.not_started) if keep_trying else start()

    def _start_model(self, bundle: Bundle) -> ModelExchange:
        """Try the delegates of a bundle, and start the first choice."""
        choice = rank_candidates(bundle, self._settings, self._journal)
        return ModelExchange(self._settings.model, choice, self._changed)

    # Callbacks of parts

    def _frame(self, result: Result) -> None:
        for part in self._parts:
            part.frame(result)

    def _changed(self, change: Change) -> None:
        for part in self._parts:
            part.changed(change)

    def _deployment_changed(self, record: Record) -> None:
        self._updates.check(record)
        self._state.deployment_changed(record)

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        self.times[camera].record(stage, duration_ns)

    def _limit_rate(self, decision: Decision) -> None:
        self.pipeline.limit_rate(decision.to_fps)
        self._state.rate_changed(decision)

    def _count_inferences(self) -> int:
        return sum(times.total["inference"].count for times in self.times.values())
