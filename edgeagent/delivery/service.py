"""Delivery on a device: composition of client, source, model runner and updater, and their messages.

::

    open_store, serve_first      (first_model.py) -> the model that serves first
      -> Delivery(store, models) -> start ... stop
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.deployment_report import build_deployment, build_update
from edgeagent.delivery.hawkbit.conversation import Hawkbit, attributes
from edgeagent.delivery.hawkbit.ddi import Ddi
from edgeagent.delivery.hawkbit.source import HawkbitSource
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.trial.gate import Passed
from edgeagent.delivery.trial.gate_report import load_report
from edgeagent.delivery.trial.model_runner import DeviceModelRunner, configured_bundle
from edgeagent.delivery.update.channel_source import ChannelSource
from edgeagent.delivery.update.device import read_device
from edgeagent.delivery.update.policy import Device
from edgeagent.delivery.update.protocols import DeploymentContext
from edgeagent.delivery.update.schedule import CheckSchedule, next_check_s
from edgeagent.delivery.update.updater import Updater
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.journal import Journal
from edgeagent.detection.pipeline import Result
from edgeagent.detection.serving import Change
from edgeagent.sensors.board import read_board
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.delivery import HawkbitSettings
from edgeagent.telemetry.contract.deployment import GateSummary
from edgeagent.timing.deadline import Deadline

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
        self._channel: tuple[str, Channel | None] | None = None  # with the slot for which it was looked up
        self._configured: tuple[str, str] | None = None
        chance = random.Random()
        self._client = Client(settings.delivery, store.folder / "metadata")
        self._runner = DeviceModelRunner(settings, store, models, journal)
        hawkbit = settings.delivery.hawkbit
        kind = ChannelSource if hawkbit is None else HawkbitSource
        self._source: ChannelSource | HawkbitSource = kind(self._client, self._device, lambda: store.record)
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
        self._hawkbit: Hawkbit | None = None
        if hawkbit is not None and isinstance(self._source, HawkbitSource):
            self._hawkbit = self._open_hawkbit(hawkbit, self._source)
        self._runner.resume()

    def start(self) -> None:
        """Start to check for models."""
        self.updater.start()
        if self._hawkbit is not None:
            self._hawkbit.start()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Stop; this does not count against a model on trial."""
        deadline = Deadline(timeout_s)
        if self._hawkbit is not None:
            self._hawkbit.stop(deadline.share_s(timeout_s / 2))
        self.updater.stop(deadline.left_s)
        self._runner.stop(deadline.left_s)
        self._store.close()

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
        waiting = status.waiting or status.step_error or status.check_error or self._source.waiting
        channel = self._known_channel(record)
        deployment = build_deployment(
            record,
            channel,
            boot_id=read_board().boot_id,
            progress=self._progress,
            waiting=waiting,
            gate=self._gate_summary(record),
        )
        update = build_update(record, self._configured_model(), progress=self._progress, waiting=waiting)
        return {"deployment": deployment.payload(), "update": update.payload()}

    def _updated(self, record: Record, progress: float | None) -> None:
        self._progress = progress
        if self._hawkbit is not None:
            self._hawkbit.notify(progress)
        self._on_change(record)

    def _device(self) -> Device:
        return read_device(self._settings.device, self._delivery)

    def _open_hawkbit(self, settings: HawkbitSettings, source: HawkbitSource) -> Hawkbit:
        board = read_board().model
        return Hawkbit(
            Ddi(settings, self._settings.device, self._delivery.proxy, self._delivery.ca),
            source,
            lambda: self._store.record,
            lambda: attributes(self._device(), self._store.record, board),
            self.updater,
        )

    def _known_channel(self, record: Record) -> Channel | None:
        """Return the channel that a deployment came from; it is verified once for each deployment."""
        deployment = record.deployment
        if deployment is None:
            return None
        if self._channel is None or self._channel[0] != deployment.model.slot:
            self._channel = deployment.model.slot, self._client.known()
        return self._channel[1]

    def _gate_summary(self, record: Record) -> GateSummary | None:
        deployment, report = record.deployment, load_report(self._store.folder)
        if deployment is None or report is None:
            return None
        if (report.name, report.version) != (deployment.model.name, deployment.model.version):
            return None
        measured = {finding.check: finding.measured for finding in report.findings}
        return GateSummary(
            p90_ms=measured.get("latency"),
            map50_95=measured.get("accuracy"),
            notes=tuple(f"{one.check} {one.outcome}: {one.sentence}" for one in report.findings),
        )

    def _configured_model(self) -> tuple[str, str]:
        if self._configured is None:
            manifest = configured_bundle(self._settings).manifest
            self._configured = manifest.name, manifest.version
        return self._configured
