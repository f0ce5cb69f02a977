"""Agent: composition of all parts from the settings, and their life cycle.

::

    connect to the broker -> READY -> verify bundle -> choose a delegate, start it in a worker
        -> start cameras -> detect -> ... -> SIGTERM, SIGINT, or the end of all files -> stop

Every part follows the protocol :class:`edgeagent.daemon.part.AgentPart`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from edgeagent.accuracy.live.accuracy_watch import AccuracyWatch
from edgeagent.accuracy.live.agreement_run import DeviceModels
from edgeagent.bundle.reading import Bundle
from edgeagent.camera.status import CameraState
from edgeagent.daemon.accuracy_receivers import accuracy_callbacks
from edgeagent.daemon.actions import build_actions
from edgeagent.daemon.adapters import Adapters
from edgeagent.daemon.agent_update import AgentUpdates
from edgeagent.daemon.alarms import Alarms
from edgeagent.daemon.area_watch import AreaWatch
from edgeagent.daemon.broker_parts import (
    build_commands,
    build_feedback,
    build_publisher,
    has_broker,
)
from edgeagent.daemon.camera_health import CameraHealth
from edgeagent.daemon.cameras import Cameras
from edgeagent.daemon.class_watch import ClassWatch
from edgeagent.daemon.decoder_choice import DecoderChoice
from edgeagent.daemon.detection_messages import DetectionMessages
from edgeagent.daemon.device_watch import DeviceWatch, WatchCallbacks
from edgeagent.daemon.fault_watch import FaultWatch
from edgeagent.daemon.hard_frames import HardFrameWatch
from edgeagent.daemon.live.agent_parts import FollowingParts
from edgeagent.daemon.live.applying import Applying
from edgeagent.daemon.live.commands import LiveCommands
from edgeagent.daemon.live.control import Control
from edgeagent.daemon.live.following import Following
from edgeagent.daemon.live.live_changes import LiveChanges
from edgeagent.daemon.live.live_source import LiveSource
from edgeagent.daemon.live_page import build_live_page
from edgeagent.daemon.model_start import keep_starting
from edgeagent.daemon.object_watch import ObjectWatch
from edgeagent.daemon.part import PART_STOP_S, AgentPart, Background, ResultCallback, present
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.reporter import CameraCounters, TelemetryReporter
from edgeagent.daemon.retained_cameras import RetainedCameras
from edgeagent.daemon.scene_receivers import build_scene_receivers
from edgeagent.daemon.scene_watch import SceneWatch
from edgeagent.daemon.service import LONGEST_MODEL_START_S, Service
from edgeagent.daemon.state_folder_watch import StateFolderWatch
from edgeagent.daemon.state_messages import RetainedMessages, StateMessages
from edgeagent.daemon.telemetry_messages import TelemetryMessages
from edgeagent.daemon.update_events import UpdateEvents
from edgeagent.delivery.first_model import open_store, serve_first
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import STAGES, Result
from edgeagent.detection.journal import open_journal
from edgeagent.detection.pipeline import Pipeline
from edgeagent.detection.ranking import rank_kept
from edgeagent.detection.serving_state import Change
from edgeagent.errors import DeliveryError
from edgeagent.events.arming import Arming
from edgeagent.events.building import build_gates, change_gates, score_thresholds
from edgeagent.files.folder_lock import lock_if_free
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.certificates import CertificateWatch
from edgeagent.telemetry.run_number import next_run
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.histogram import StageTimes
from edgeagent.timing.progress import UNLIMITED_S
from edgeagent.timing.schedule import next_due

if TYPE_CHECKING:
    from edgeagent.daemon.signed_configuration import SignedConfiguration
    from edgeagent.delivery.configuration.serving import ServedConfiguration
    from edgeagent.delivery.service import Delivery
    from edgeagent.delivery.state.record import Record
    from edgeagent.delivery.state.store import Store

STOP_S = 2.5
"""For all parts together, so that the process ends within 3 s."""
LAST_MESSAGES_S = 1.25  # of these, kept for the last telemetry and ``stopped``
STEP_S = 5.0  # longest wait of the supervision between two steps that its watchdog sees


class Agent:
    """Detection daemon of one device.

    The constructor connects to the broker first, and reports that the agent starts. While no delegate works
    it reports that, too, and tries all delegates again with back-off.

    Args:
        settings: validated settings.
        on_result: also called with every result, in the pipeline's finish thread.
        keep_trying: whether to try again while no delegate works; otherwise that is an error.
        configuration: signed configuration that serves; None follows none.
        live: where the settings come from; None takes no changes while the agent runs.

    Attributes:
        live: changes of the settings while the agent runs; None where ``live`` is not given.
        starts_again: whether :meth:`run` has ended so that the owner starts the agent again.
        models: model that serves.
        delivery: delivery of models; None where it is not configured, or the state folder cannot be used.
        publisher: publisher of the device; one that does nothing where no broker is configured.
        events: publisher of events.
        pipeline: detection pipeline.
        cameras: cameras, in the order of the settings.
        times: stage times by camera, also of those that were removed.

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
        configuration: ServedConfiguration | None = None,
        live: LiveSource | None = None,
    ) -> None:
        self._settings, state = settings, state_folder(settings)
        self._configuration, self.starts_again = configuration, False
        self._over: SimpleQueue[None] = SimpleQueue()
        self.times = {camera.name: StageTimes(STAGES) for camera in settings.cameras}

        # Messages
        self._journal = open_journal(state)
        self.delivery: Delivery | None = None
        self._scenes: SceneWatch | None = None
        opened = open_store(settings)
        store = opened.store
        self._state_folder = StateFolderWatch(settings, opened.problem)
        self._in_use = lock_if_free(state)  # `edgeagent status` sees it
        run = next_run(state)
        self._page = build_live_page(settings)
        self.publisher = build_publisher(settings)
        if self._page is not None:
            self.publisher = self._page.observed(self.publisher)
        self.events = EventLog(run, partial(self.publisher.publish, qos=1))
        adapters = Adapters(settings, self.publisher, state, self.times)
        alarms = Alarms()
        if store is not None:
            alarms.update_deployment(store.record)
        self.live = LiveChanges(live, settings, state, self._apply, self.events) if live else None
        if self._page is not None and self.live is not None:
            self._page.edit_with(self.live)
        self._arming = Arming(state) if settings.tracking.tracker != "off" else None
        retained = RetainedMessages(alarms, settings.cameras, self._configuration_version, self._arming)
        self._state = StateMessages(alarms, retained, self.events, self.publisher, adapters)
        if self._arming is not None:
            self._arming.on_change = self._state.publish
        self._updates = UpdateEvents(state, self.events)
        self._faults = FaultWatch(self._state.fault_changed, self.request_stop)
        self._service = Service(self.publisher, has_broker(settings))
        self._agent_updates = AgentUpdates(settings, self.publisher, self.events)
        self._service.watchdog.starts_again = self._goes_on
        self._state.starting()
        self._faults.start()
        self.publisher.start()
        if self._page is not None:
            self._page.on_trouble = self._state.page_changed
            self._page.start()
        try:
            self._service.begin()
            self._agent_updates.begin()
            if opened.problem is not None:
                self._state.delivery_unavailable(opened.problem)
            self._build(store, on_result, keep_trying, run, adapters)
        except BaseException as error:
            if store is not None and isinstance(error, SystemExit):
                store.close()  # asked to stop: no bad end of a model on trial
            self._service.stop(0.0)
            self._stop_page()
            self.publisher.stop()
            self._faults.stop()
            self._release_state()
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
        self.models = self._serve(store, keep_trying)
        if store is not None:
            self._deployment_changed(store.record)  # the start may have ended it
        self.delivery = None if store is None else self._build_delivery(store)
        if self.delivery is not None:
            self._agent_updates.attach(self.delivery, self.models)
            self.delivery.on_agent_change = self._agent_changed
        self._state.started(self.models, self.delivery)

        # Detection
        self.pipeline = Pipeline(
            self.models, score_thresholds(settings), self._frame, self._record, on_end=self.request_stop
        )
        gates = self._gates = build_gates(settings.cameras)
        decoders = DecoderChoice(state_folder(settings), self._journal)
        cameras = Cameras(settings.cameras, self.pipeline.wake, self._camera_changed, decoders.choose)
        self.cameras = cameras.cameras
        self._service.attach(self.models, self.pipeline, self.cameras)
        signed = self._build_signed_configuration()

        # Requests, accuracy and telemetry
        changes = LiveCommands(self.live) if self.live else None
        commands = build_commands(settings, self.publisher, self.delivery, self.events, self._arming, changes)
        feedback = build_feedback(settings, self.publisher, run, self.models.bundle.manifest)
        previous = self.delivery.previous if self.delivery is not None else lambda: None
        models = DeviceModels(self.models, self._journal, previous)
        hard_frames = HardFrameWatch(settings) if settings.hard_frames is not None else None
        if hard_frames is not None and feedback is not None:
            hard_frames.take_feedback(feedback.handler)
        results = accuracy_callbacks(self._state, hard_frames)
        accuracy = AccuracyWatch(settings, models, feedback, run, results) if broker else None
        reactions = WatchCallbacks(self._limit_rate, self._state.board_changed)
        watch = DeviceWatch(settings.power, settings.adaptive, self._count_inferences, reactions)
        names = [camera.name for camera in settings.cameras]
        objects = ObjectWatch(settings.objects, names, run, self._state.presence_changed)
        classes = ClassWatch(settings, self._state.class_changed)
        areas = AreaWatch(settings, self._state.area_changed)
        counters = CameraCounters(
            self.cameras, self.times, self.pipeline.failed, objects, gates, classes, areas
        )
        reporter = TelemetryReporter(counters, run, watch)
        adapters.read_live(lambda telemetry: reporter.refresh(telemetry, self.publisher.dropped))
        certificates = CertificateWatch(
            settings.mqtt.tls, self._state.certificates_changed, self._state.certificate_changed
        )
        self._telemetry = TelemetryMessages(reporter, self.publisher, adapters, certificates, commands)

        # Parts
        serving = Background(self.models.start, self.models.stop)
        pipeline = Background(lambda: self.pipeline.start(self.cameras, gates), self.pipeline.stop)
        trials = Background(lambda: None, self.models.stop_trials)
        taking_commands = Background(commands.start, commands.stop) if commands else None
        taking_feedback = Background(feedback.requests.start, feedback.requests.stop) if feedback else None
        showing = ResultCallback(self._page.frame) if self._page is not None else None
        arming, acting = self._arming, None
        if arming is not None:
            receivers = build_scene_receivers(
                settings, run, self.publisher, self.events, arming, self._publishes_pictures
            )
            actions = build_actions(settings, self.publisher, lambda: arming.armed)
            if actions is not None:
                receivers.append(actions)
                acting = Background(actions.start, actions.stop)
            if self._page is not None:
                receivers.append(self._page)
            self._scenes = SceneWatch(settings, receivers, gates)
        detections = DetectionMessages(settings, run, self.publisher, feedback) if broker else None
        removed = RetainedCameras(settings, self.publisher) if broker else None
        health = CameraHealth(settings.cameras, self._state.camera_health_changed)
        following = FollowingParts(
            pipeline=self.pipeline,
            cameras=cameras,
            scenes=self._scenes,
            objects=objects,
            classes=classes,
            areas=areas,
            health=health,
            detections=detections,
            feedback=feedback,
            accuracy=accuracy,
            watch=watch,
            adapters=adapters,
            page=self._page,
            hard_frames=hard_frames,
            retained=removed,
            state=self._state,
            service=self._service,
        )
        self._applying = Applying(self.pipeline, following.in_order(Following(self._take)))
        control = Control(self.live, state_folder(settings)) if self.live and self._in_use else None
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
            signed,
            health,
            objects,
            classes,
            hard_frames,
            areas,
            acting,
            self._scenes,
            ResultCallback(on_result) if on_result else None,
            showing,  # after the scenes, whose tracks it shows
            detections,
            self._agent_updates,
            self.live,
            control,
            self._service,
        )
        self._stop_order: tuple[AgentPart, ...] = present(
            self._service,
            control,  # first, as a change builds parts
            self.live,
            self._page,
            self._agent_updates,
            taking_commands,
            taking_feedback,
            watch,
            trials,  # before the pipeline, whose frames they hold back for a moment
            pipeline,  # before what serves, so that frames in flight are finished
            serving,  # ends all waits for an engine that hangs
            accuracy,
            signed,
            self.delivery,
            cameras,
            self._scenes,
            hard_frames,
            acting,  # after the scenes, which end all objects
            removed,
        )
        self._last_messages: tuple[AgentPart, ...] = (
            self._telemetry,  # the last interval, before its receivers stop
            adapters,
        )

    def run(self) -> None:
        """Start, run until :meth:`request_stop` or the end of all cameras, and stop.

        Raises:
            EdgeagentError: a part cannot start, detection has failed, or the state folder can be used again.
        """
        self.start()
        try:
            self._report_until_stopped()
        finally:
            self.stop()
        self.pipeline.raise_failure()
        self._faults.raise_fatal()
        self._state_folder.raise_usable()

    def request_stop(self) -> None:
        """Make :meth:`run` stop; may be called from a signal handler."""
        self._over.put(None)  # a SimpleQueue, unlike an event, is safe in a signal handler of its own waiter

    def request_new_start(self) -> None:
        """Make :meth:`run` stop, so that its owner starts the agent again; from any thread."""
        self.starts_again = True
        self.request_stop()

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
            self._service.progress.expect(UNLIMITED_S, "run by its owner")
        except BaseException:
            self._service.stop(0.0)
            self._stop_page()
            self.models.stop()
            self.publisher.stop()
            self._faults.stop()
            self._release_state()
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
        self._release_state()

    def _stop_page(self, timeout_s: float = PART_STOP_S) -> None:
        if self._page is not None:
            self._page.stop(timeout_s)

    def _release_state(self) -> None:
        if self._in_use is not None:
            self._in_use.release()
            self._in_use = None

    def report(self) -> Telemetry:
        """Publish the telemetry of the interval that ends now, and return it."""
        return self._telemetry.publish()

    def _report_until_stopped(self) -> None:
        interval = self._settings.telemetry.interval
        due = time.monotonic() + interval
        while True:
            if interval != self._settings.telemetry.interval:
                interval = self._settings.telemetry.interval
                due = time.monotonic() + interval
            wait_s = min(STEP_S, max(0.0, due - time.monotonic()))
            self._service.progress.expect(wait_s, "waiting for the next report")
            if self.wait(wait_s):
                return
            if time.monotonic() >= due:
                self._service.progress.expect(0.0, "reporting")
                self.report()
                self._faults.check()
                if self._state_folder.usable():
                    return
                due = next_due(due, interval, time.monotonic())

    def _serve(self, store: Store | None, keep_trying: bool) -> ModelExchange:
        """Start the model that serves first."""

        def start() -> ModelExchange:
            return serve_first(self._settings, store, self._start_model)

        return keep_starting(start, self._not_started) if keep_trying else start()

    def _build_delivery(self, store: Store) -> Delivery | None:
        # imported here, since its libraries take memory
        from edgeagent.delivery.service import Delivery

        try:
            return Delivery(self._settings, store, self.models, self._journal, self._deployment_changed)
        except DeliveryError as error:
            self._state.delivery_unavailable(f"{error}; no models are delivered until the next start")
            return None

    def _build_signed_configuration(self) -> SignedConfiguration | None:
        served, delivery = self._configuration, self.delivery
        if served is not None and delivery is None:
            served.unjudged("models are not delivered with it, as they were before")
        if served is None or served.store is None or delivery is None:
            return None
        # imported here, since its libraries take memory
        from edgeagent.daemon.signed_configuration import PartsInSight, SignedConfiguration

        parts = PartsInSight(self.models, self.cameras, self.publisher)
        return SignedConfiguration(served, delivery, parts, self._state, self.request_new_start)

    def _start_model(self, bundle: Bundle) -> ModelExchange:
        """Start the first choice of a bundle, or the first right delegate where there is none yet."""
        choice = rank_kept(bundle, self._settings, self._journal)
        return ModelExchange(self._settings.model, choice, self._changed)

    def _goes_on(self) -> bool:
        """Return whether the process starts the agent again when it ends, also by an error during a trial."""
        on_trial = self._configuration is not None and self._configuration.trial is not None
        return self.starts_again or on_trial

    def _configuration_version(self) -> str | None:
        return None if self._configuration is None else self._configuration.version

    # Callbacks of parts

    def _not_started(self, reason: str) -> None:
        self._state.not_started(reason)
        self._service.progress.expect(LONGEST_MODEL_START_S, "trying all delegates again")
        self._service.changed(Change(None, False, reason))
        if self._configuration is not None:
            self._configuration.not_started(reason)

    def _camera_changed(self, camera: str, state: CameraState, text: str) -> None:
        self._state.camera_changed(camera, state, text)
        if self._scenes is not None and state in ("lost", "ended"):
            self._scenes.camera_lost(camera)
        self._service.update()

    def _frame(self, result: Result) -> None:
        for part in self._parts:
            part.frame(result)

    def _changed(self, change: Change) -> None:
        for part in self._parts:
            part.changed(change)

    def _deployment_changed(self, record: Record) -> None:
        self._updates.check(record)
        self._state.deployment_changed(record, self.delivery.problems() if self.delivery else None)

    def _agent_changed(self) -> None:
        if self.delivery is not None:
            self._state.delivery_changed(self.delivery.problems())

    def _record(self, camera: str, stage: str, duration_ns: int) -> None:
        self.times[camera].record(stage, duration_ns)

    def _limit_rate(self, decision: Decision) -> None:
        self.pipeline.limit_rate(decision.to_fps)
        self._state.rate_changed(decision)

    def _count_inferences(self) -> int:
        return sum(times.total["inference"].count for times in list(self.times.values()))

    # Changed settings

    def _apply(self, change: SettingsChange) -> None:
        self._applying.apply(change)

    def _take(self, change: SettingsChange) -> None:
        """Take changed settings; the list of cameras has followed."""
        self._settings = change.after
        for camera in self.cameras:
            self.times.setdefault(camera.name, StageTimes(STAGES))
        change_gates(self._gates, change)
        self.pipeline.change(self.cameras, score_thresholds(change.after))

    def _publishes_pictures(self) -> bool:
        return self._settings.snapshots is not None and self._settings.snapshots.publish
