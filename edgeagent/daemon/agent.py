"""Agent: composition of all parts from the settings, and their life cycle.

::

    connect to the broker -> READY -> verify bundle -> choose a delegate, start it in a worker
        -> start cameras -> detect -> ... -> SIGTERM, SIGINT, or the end of all files -> stop

Every part follows the protocol :class:`edgeagent.daemon.part.AgentPart`. This module connects them; what
belongs together is built in one place: what needs no model in ``reporting``, the watches in ``watches``,
tracking in ``scene_receivers``, what needs a broker in ``broker_parts``, the delivery in ``delivery_parts``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeagent.accuracy.live.agreement_run import DeviceModels
from edgeagent.bundle.reading import Bundle
from edgeagent.camera.status import CameraState
from edgeagent.daemon.broker_parts import (
    build_commands,
    build_feedback,
    has_broker,
)
from edgeagent.daemon.cameras import Cameras
from edgeagent.daemon.decoder_choice import DecoderChoice
from edgeagent.daemon.delivery_parts import build_delivery, build_signed_configuration
from edgeagent.daemon.detection_messages import DetectionMessages
from edgeagent.daemon.live.agent_parts import FollowingParts
from edgeagent.daemon.live.applying import Applying
from edgeagent.daemon.live.commands import LiveCommands
from edgeagent.daemon.live.control import Control
from edgeagent.daemon.live.following import Following
from edgeagent.daemon.live.live_source import LiveSource
from edgeagent.daemon.model_start import keep_starting
from edgeagent.daemon.part import Background, ResultCallback, present
from edgeagent.daemon.part_order import PartOrder
from edgeagent.daemon.rate_controller import Decision
from edgeagent.daemon.reporter import CameraCounters, TelemetryReporter
from edgeagent.daemon.reporting import Reporting, ReportingCallbacks
from edgeagent.daemon.retained_cameras import RetainedCameras
from edgeagent.daemon.scene_receivers import build_scene_parts
from edgeagent.daemon.service import LONGEST_MODEL_START_S
from edgeagent.daemon.supervision import Supervision
from edgeagent.daemon.telemetry_messages import TelemetryMessages
from edgeagent.daemon.watches import build_watches
from edgeagent.delivery.first_model import open_store, serve_first
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import STAGES, Result
from edgeagent.detection.journal import open_journal
from edgeagent.detection.pipeline import Pipeline
from edgeagent.detection.ranking import rank_kept
from edgeagent.detection.serving_state import Change
from edgeagent.events.building import build_gates, change_gates, score_thresholds
from edgeagent.settings.live.comparison import SettingsChange
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.messages import Telemetry
from edgeagent.telemetry.mqtt.certificates import CertificateWatch
from edgeagent.timing.histogram import StageTimes
from edgeagent.timing.progress import UNLIMITED_S

if TYPE_CHECKING:
    from edgeagent.daemon.scene_watch import SceneWatch
    from edgeagent.delivery.configuration.serving import ServedConfiguration
    from edgeagent.delivery.service import Delivery
    from edgeagent.delivery.state.record import Record
    from edgeagent.delivery.state.store import Store


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
        self._settings = settings
        self._configuration, self.starts_again = configuration, False
        self.times = {camera.name: StageTimes(STAGES) for camera in settings.cameras}
        self.delivery: Delivery | None = None
        self._scenes: SceneWatch | None = None
        self._journal = open_journal(state_folder(settings))
        opened = open_store(settings)
        calls = ReportingCallbacks(self._apply, self.request_stop, self._goes_on, self._configuration_version)
        self._reporting = Reporting(settings, live, self.times, opened, calls)
        self.publisher, self.events = self._reporting.publisher, self._reporting.events
        self.live, self._state = self._reporting.live, self._reporting.state
        self._service = self._reporting.service
        self._supervision = Supervision(self._interval_s, self._service.progress)
        self._reporting.connect()
        try:
            self._reporting.begin()
            self._build(opened.store, on_result, keep_trying)
        except BaseException as error:
            if opened.store is not None and isinstance(error, SystemExit):
                opened.store.close()  # asked to stop: no bad end of a model on trial
            self._reporting.give_up()
            raise

    def _build(
        self,
        store: Store | None,
        on_result: Callable[[Result], None] | None,
        keep_trying: bool,
    ) -> None:
        """Start the model, and build all parts that need one."""
        settings, reporting, broker = self._settings, self._reporting, has_broker(self._settings)
        run, adapters, arming, page = reporting.run, reporting.adapters, reporting.arming, reporting.page

        # Model
        self.models = self._serve(store, keep_trying)
        if store is not None:
            self._deployment_changed(store.record)  # the start may have ended it
        self.delivery = build_delivery(
            settings, store, self.models, self._journal, self._deployment_changed, self._state
        )
        if self.delivery is not None:
            reporting.agent_updates.attach(self.delivery, self.models)
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
        signed = build_signed_configuration(
            self._configuration,
            self.delivery,
            self.models,
            self.cameras,
            self.publisher,
            self._state,
            self.request_new_start,
        )

        # Requests, watches and telemetry
        changes = LiveCommands(self.live) if self.live else None
        commands = build_commands(settings, self.publisher, self.delivery, self.events, arming, changes)
        feedback = build_feedback(settings, self.publisher, run, self.models.bundle.manifest)
        previous = self.delivery.previous if self.delivery is not None else lambda: None
        models = DeviceModels(self.models, self._journal, previous)
        watches = build_watches(
            settings, run, models, feedback, self._state, self._count_inferences, self._limit_rate
        )
        counters = CameraCounters(
            self.cameras,
            self.times,
            self.pipeline.failed,
            watches.objects,
            gates,
            watches.classes,
            watches.areas,
        )
        reporter = TelemetryReporter(counters, run, watches.device)
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
        showing = ResultCallback(page.frame) if page is not None else None
        scenes = build_scene_parts(
            settings,
            run,
            self.publisher,
            self.events,
            arming,
            self._publishes_pictures,
            page,
            gates,
        )
        self._scenes = scenes.scenes
        detections = DetectionMessages(settings, run, self.publisher, feedback) if broker else None
        removed = RetainedCameras(settings, self.publisher) if broker else None
        following = FollowingParts(
            pipeline=self.pipeline,
            cameras=cameras,
            scenes=self._scenes,
            watches=watches,
            detections=detections,
            feedback=feedback,
            adapters=adapters,
            page=page,
            retained=removed,
            state=self._state,
            service=self._service,
        )
        self._applying = Applying(self.pipeline, following.in_order(Following(self._take)))
        control = Control(self.live, state_folder(settings)) if self.live and reporting.in_use else None
        parts = present(
            self._state,
            adapters,  # before all threads, as its port may be in use
            serving,
            pipeline,
            watches.device,
            cameras,
            taking_commands,
            taking_feedback,
            watches.accuracy,
            self.delivery,
            signed,
            watches.health,
            watches.objects,
            watches.classes,
            watches.hard_frames,
            watches.areas,
            scenes.actions,
            self._scenes,
            ResultCallback(on_result) if on_result else None,
            showing,  # after the scenes, whose tracks it shows
            detections,
            reporting.agent_updates,
            self.live,
            control,
            self._service,
        )
        stop_order = present(
            self._service,
            control,  # first, as a change builds parts
            self.live,
            page,
            reporting.agent_updates,
            taking_commands,
            taking_feedback,
            watches.device,
            trials,  # before the pipeline, whose frames they hold back for a moment
            pipeline,  # before what serves, so that frames in flight are finished
            serving,  # ends all waits for an engine that hangs
            watches.accuracy,
            signed,
            self.delivery,
            cameras,
            self._scenes,
            watches.hard_frames,
            scenes.actions,  # after the scenes, which end all objects
            removed,
        )
        last = (self._telemetry, adapters)  # the last interval, before its receivers stop
        self._order = PartOrder(parts, stop_order, last)

    def run(self) -> None:
        """Start, run until :meth:`request_stop` or the end of all cameras, and stop.

        Raises:
            EdgeagentError: a part cannot start, detection has failed, or the state folder can be used again.
        """
        self.start()
        try:
            self._supervision.run(self._report)
        finally:
            self.stop()
        self.pipeline.raise_failure()
        self._reporting.faults.raise_fatal()
        self._reporting.folder.raise_usable()

    def request_stop(self) -> None:
        """Make :meth:`run` stop; may be called from a signal handler."""
        self._supervision.request_end()

    def request_new_start(self) -> None:
        """Make :meth:`run` stop, so that its owner starts the agent again; from any thread."""
        self.starts_again = True
        self.request_stop()

    def wait(self, timeout: float) -> bool:
        """Wait for :meth:`request_stop` or the end of all cameras; return False after ``timeout`` seconds."""
        return self._supervision.wait(timeout)

    def start(self) -> None:
        """Start all parts.

        Raises:
            ConfigurationError: a port cannot be opened; nothing runs.
        """
        try:
            self._order.start()
            self._service.progress.expect(UNLIMITED_S, "run by its owner")
        except BaseException:
            self._reporting.give_up(self.models.stop)
            raise

    def stop(self) -> None:
        """Stop all parts in some seconds; a camera, engine, disk or broker that hangs is abandoned."""
        self._reporting.end(self._order.stop().left_s)

    def report(self) -> Telemetry:
        """Publish the telemetry of the interval that ends now, and return it."""
        return self._telemetry.publish()

    def _report(self) -> bool:
        """Publish telemetry; return whether the agent must end, as its state folder can be used again."""
        self.report()
        self._reporting.faults.check()
        return self._reporting.folder.usable()

    def _interval_s(self) -> float:
        return self._settings.telemetry.interval

    def _serve(self, store: Store | None, keep_trying: bool) -> ModelExchange:
        """Start the model that serves first."""

        def start() -> ModelExchange:
            return serve_first(self._settings, store, self._start_model)

        return keep_starting(start, self._not_started) if keep_trying else start()

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
        self._order.frame(result)

    def _changed(self, change: Change) -> None:
        self._order.changed(change)

    def _deployment_changed(self, record: Record) -> None:
        self._reporting.updates.check(record)
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
