"""Delivery on a device: composition of client, source, model runner and updater, and their messages.

::

    open_store, serve_first      (first_model.py) -> the model that serves first
      -> Delivery(store, models) -> start ... stop
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.agent.agent_updater import AgentUpdater
from edgeagent.delivery.agent.report import agent_problem, build_agent_report
from edgeagent.delivery.configuration.updater import ConfigurationUpdater
from edgeagent.delivery.configured_bundle import configured_bundle
from edgeagent.delivery.deployment_report import build_deployment, build_update
from edgeagent.delivery.hawkbit.conversation import Hawkbit, attributes
from edgeagent.delivery.hawkbit.ddi import Ddi
from edgeagent.delivery.hawkbit.source import HawkbitSource
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.clear_text import clear_text_note
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.check_report import CheckReport, keep_check
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.trial.gate import Passed
from edgeagent.delivery.trial.gate_report import load_report
from edgeagent.delivery.trial.model_runner import DeviceModelRunner
from edgeagent.delivery.update.answered_commands import ANSWERED
from edgeagent.delivery.update.channel_source import ChannelSource
from edgeagent.delivery.update.device import read_device
from edgeagent.delivery.update.policy import Device
from edgeagent.delivery.update.protocols import DeploymentContext
from edgeagent.delivery.update.schedule import CheckSchedule, next_check_s
from edgeagent.delivery.update.updater import Updater
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.detection.journal import Journal
from edgeagent.detection.serving_state import Change
from edgeagent.errors import EdgeagentError
from edgeagent.launcher.launched import Launched
from edgeagent.launcher.record import read_agent_record
from edgeagent.sensors.board import read_board
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.delivery import HawkbitSettings
from edgeagent.telemetry.contract.deployment import AgentReport, GateSummary
from edgeagent.telemetry.contract.messages import ProblemCode
from edgeagent.timing.deadline import Deadline
from edgeagent.timing.utc import utc_time

logger = logging.getLogger(__name__)

FIRST_CHECK_S = 60.0  # at most: after a power cut all devices start at the same moment
STOP_S = 1.0  # a gate or a request that takes longer ends with this process


class Delivery:
    """Delivery on this device.

    Args:
        settings: settings of the agent, with ``delivery``.
        store: deployment record.
        models: model that serves.
        journal: journal of trials of delegates; None where there is none.
        on_change: called after every change of the record or of the progress, in the updater's thread.

    Attributes:
        updater: executes commands.
        agent_updater: updates the agent itself; None where it is not updated.

    Raises:
        EdgeagentError: the settings cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        models: ModelExchange,
        journal: Journal | None,
        on_change: Callable[[Record], None],
    ) -> None:
        if settings.delivery is None:
            raise ValueError("there is no delivery section")
        self._settings, self._delivery = settings, settings.delivery
        self._store, self._on_change = store, on_change
        self._progress: float | None = None
        self._kept_check: tuple[object, ...] | None = None
        self._channel: tuple[str, Channel | None] | None = None  # with the slot for which it was looked up
        self._configured: tuple[str, str] | None = None
        self._configuration: ConfigurationUpdater | None = None
        chance = random.Random()
        note = clear_text_note(settings.delivery.repository)
        if note is not None:
            logger.warning("delivery: %s", note)
        self._client = Client(settings.delivery, store.folder / "metadata")
        self._runner = DeviceModelRunner(settings, store, models, journal)
        hawkbit = settings.delivery.hawkbit
        kind = ChannelSource if hawkbit is None else HawkbitSource
        self._source: ChannelSource | HawkbitSource = kind(self._client, self.device, lambda: store.record)
        self.updater: Updater[Passed] = Updater(
            DeploymentContext(store, self._source, self._runner),
            settings.delivery,
            CheckSchedule(
                lambda: next_check_s(
                    self._delivery.check_every, self._delivery.jitter, settings.device, chance
                ),
                chance.uniform(0, min(FIRST_CHECK_S, settings.delivery.check_every)),
            ),
            self._updated,
        )
        self._runner.listener = self.updater
        self.agent_updater: AgentUpdater | None = None
        self._agent_start: Launched | None = None
        self._on_agent_end: Callable[[], None] = lambda: None
        self.on_agent_change: Callable[[], None] = lambda: None
        self._hawkbit: Hawkbit | None = None
        if hawkbit is not None and isinstance(self._source, HawkbitSource):
            self._hawkbit = self._open_hawkbit(hawkbit, self._source)
        self._runner.resume()
        try:
            self._client.known()
        except EdgeagentError as error:
            self.updater.note_problem(error)

    def new_client(self, name: str) -> Client:
        """Return a client of the channel for another thread, with verified metadata of its own.

        Args:
            name: of the folder of that thread.
        """
        return Client(self._delivery, self._store.folder / name / "metadata")

    def follow_configurations(self, updater: ConfigurationUpdater) -> None:
        """Pass every verified index to an updater of configurations, and report what it does."""
        self._configuration = updater
        if isinstance(self._source, ChannelSource):
            self._source.listeners.append(updater.index_arrived)
        else:
            logger.info("hawkBit drives this device; configurations of the channel are not followed")

    @property
    def configuration(self) -> ConfigurationUpdater | None:
        """Updater of configurations; None where none are followed."""
        return self._configuration

    def model_on_trial(self) -> str | None:
        """Return that a model is tried, which a new start of the agent would disturb; None otherwise."""
        deployment = self._store.record.deployment
        if deployment is None or deployment.state not in ("gating", "trial"):
            return None
        return f"{deployment.model.name} {deployment.model.version} is tried first"

    def start(self) -> None:
        """Start to check for models."""
        self.updater.start()
        if self._hawkbit is not None:
            self._hawkbit.start()
        if self.agent_updater is not None:
            self.agent_updater.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop; this does not count against a model on trial."""
        deadline = Deadline(timeout_s)
        if self.agent_updater is not None:
            self.agent_updater.stop(0.0)
        if self._hawkbit is not None:
            self._hawkbit.stop(deadline.share_s(timeout_s / 2))
        self.updater.stop(deadline.left_s)
        self._runner.stop(deadline.left_s)
        self._store.close()

    def attach_agent(self, updater: AgentUpdater, start: Launched, on_end: Callable[[], None]) -> None:
        """Update the agent itself by the channel, from :meth:`start` on; not where hawkBit decides.

        Args:
            updater: of the agent.
            start: facts of this start.
            on_end: called when an update may have ended.
        """
        if not isinstance(self._source, ChannelSource):
            logger.warning("delivery.agent: the agent itself is not updated where hawkBit decides")
            return
        self.agent_updater, self._agent_start, self._on_agent_end = updater, start, on_end
        updater.on_change = self.agent_changed
        self._source.listeners.append(updater.offer)

    def agent_changed(self) -> None:
        """Publish the state of the agent's update; from any thread."""
        self._on_agent_end()
        self.on_agent_change()

    def busy(self) -> str | None:
        """Return why the agent must not be switched now: a model is in its gate or on trial."""
        deployment = self._store.pending()
        if deployment is None or deployment.state not in ("gating", "trial"):
            return None
        return f"{deployment.model.name} {deployment.model.version} is {deployment.state}; one at a time"

    def frame(self, result: Result) -> None:
        """Record a frame for probation."""
        self._runner.frame(result)

    def changed(self, change: Change) -> None:
        """Record which detector serves; one that was given up counts against a model on trial."""
        self._runner.changed(change)

    def previous(self) -> Bundle | None:
        """Return the good model before the one that serves, verified; None where there is none.

        Raises:
            BundleError: the model is damaged.
        """
        record = self._store.record
        on_trial = record.deployment is not None and record.deployment.state == "trial"
        before = record.current if on_trial else record.previous
        return None if before is None else self._store.slots.open(before)

    def retained(self) -> Mapping[str, bytes]:
        """Return the payloads of the retained messages ``deployment`` and ``update``, by topic."""
        record, status = self._store.record, self.updater.state()
        waiting = status.waits_for or self._source.waiting
        channel = self._known_channel(record)
        deployment = build_deployment(
            record,
            channel,
            boot_id=read_board().boot_id,
            progress=self._progress,
            waiting=waiting,
            gate=self._gate_summary(record),
            agent=self._agent_report(),
            configuration=self._configuration.report() if self._configuration is not None else None,
        )
        update = build_update(record, self._configured_model(), progress=self._progress, waiting=waiting)
        return {"deployment": deployment.payload(), "update": update.payload()}

    @property
    def commands_file(self) -> Path:
        """File of the commands that were executed."""
        return self._store.folder / ANSWERED

    def problems(self) -> dict[ProblemCode, str | None]:
        """Return the text of each alarm of delivery by its code; None for those that are off."""
        problems = self.updater.state().problems
        if self._configuration is not None:
            problems = {**problems, **self._configuration.problems()}
        if self.agent_updater is None or self._agent_start is None:
            return problems
        with suppress(EdgeagentError):
            record = read_agent_record(self._agent_start.path)
            problems["agent_update_failed"] = agent_problem(record, self.agent_updater.status)
        return problems

    def _agent_report(self) -> AgentReport | None:
        if self.agent_updater is None or self._agent_start is None:
            return None
        try:
            record = read_agent_record(self._agent_start.path)
        except EdgeagentError as error:
            logger.info("%s; the versions of the agent are not reported", error)
            return None
        return build_agent_report(record, self.agent_updater.status, self._agent_start)

    def _updated(self, record: Record, progress: float | None) -> None:
        self._progress = progress
        self._keep_check()
        if self._hawkbit is not None:
            self._hawkbit.notify(progress)
        self._on_change(record)

    def _keep_check(self) -> None:
        """Keep why the device waits, and the alarms, when they change."""
        status = self.updater.state()
        if status.reported != self._kept_check:
            self._kept_check = status.reported
            problems: dict[str, str] = {
                code: text for code, text in status.problems.items() if text is not None
            }
            keep_check(
                self._store.folder,
                CheckReport(time=utc_time(time.time()), waiting=status.waits_for, problems=problems),
            )

    def device(self) -> Device:
        """Return the properties of this device now."""
        return read_device(self._settings.device, self._delivery)

    def _open_hawkbit(self, settings: HawkbitSettings, source: HawkbitSource) -> Hawkbit:
        board = read_board().model
        return Hawkbit(
            Ddi(settings, self._settings.device, self._delivery.proxy, self._delivery.ca),
            source,
            lambda: self._store.record,
            lambda: attributes(self.device(), self._store.record, board),
            self.updater,
        )

    def _known_channel(self, record: Record) -> Channel | None:
        """Return the channel that a deployment came from; it is verified once for each deployment.

        None also where it cannot be read, which the updater finds and reports.
        """
        deployment = record.deployment
        if deployment is None:
            return None
        if self._channel is None or self._channel[0] != deployment.model.slot:
            try:
                self._channel = deployment.model.slot, self._client.known()
            except EdgeagentError as error:
                logger.info("the stored index cannot be read now: %s", error)
                return None
        return self._channel[1]

    def _gate_summary(self, record: Record) -> GateSummary | None:
        deployment, report = record.deployment, load_report(self._store.folder)
        if deployment is None or report is None:
            return None
        if (report.name, report.version) != (deployment.model.name, deployment.model.version):
            return None
        measured = {finding.check: finding.measured for finding in report.findings}
        field = next((one.measure for one in report.findings if one.check == "accuracy"), None)
        accuracy = {field or "map50_95": measured.get("accuracy")}
        return GateSummary(
            p90_ms=measured.get("latency"),
            map50_95=accuracy.get("map50_95"),
            top1=accuracy.get("top1"),
            miou=accuracy.get("miou"),
            mask_map50_95=accuracy.get("mask_map50_95"),
            notes=tuple(f"{one.check} {one.outcome}: {one.sentence}" for one in report.findings),
        )

    def _configured_model(self) -> tuple[str, str]:
        if self._configured is None:
            manifest = configured_bundle(self._settings).manifest
            self._configured = manifest.name, manifest.version
        return self._configured
