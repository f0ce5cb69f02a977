"""Delivery on a device, put together: store, client, source, board, updater, and what is told of them.

::

    Delivery(settings)           takes the state folder
      -> serve_first(make)       what an earlier run left: a trial, the last good model, the configured bundle
      -> attach(models, ...)     the rest, now that something serves
      -> start ... stop
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeagent.bundle.reading import Bundle
from edgeagent.delivery.deployment_report import build_deployment, build_update
from edgeagent.delivery.hawkbit.conversation import Hawkbit, attributes
from edgeagent.delivery.hawkbit.ddi import Ddi
from edgeagent.delivery.hawkbit.source import HawkbitSource
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import FOLDER, Store
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
from edgeagent.errors import DeliveryError, EdgeagentError
from edgeagent.files.folder_lock import LockedError
from edgeagent.sensors.board import read_board
from edgeagent.settings.schema import Settings
from edgeagent.settings.state import state_folder
from edgeagent.telemetry.contract.deployment import GateSummary

logger = logging.getLogger(__name__)

FIRST_CHECK_S = 60.0  # at most: after a power cut all devices start at one moment
UPDATER_STOP_S = 1.0  # a gate or a request that takes longer ends with this process


def open_delivery(settings: Settings) -> Delivery | None:
    """Return delivery on this device; None where the settings have none, or the state folder is of no use.

    Raises:
        LockedError: another agent uses the state folder.
    """
    if settings.delivery is None:
        return None
    try:
        return Delivery(settings)
    except LockedError:
        raise
    except DeliveryError as error:
        logger.error("%s; no models are delivered, and the configured bundle serves", error)
        return None


@dataclass(frozen=True)
class _Parts:
    """What is there once something serves."""

    client: Client
    source: ChannelSource | HawkbitSource
    board: DeviceModelRunner
    updater: Updater[Passed]
    hawkbit: Hawkbit | None


class Delivery:
    """Delivery on this device.

    Args:
        settings: of the agent, with ``delivery``.

    Raises:
        DeliveryError: the state folder cannot be used; see :class:`edgeagent.delivery.state.store.Store`.
    """

    _parts: _Parts

    def __init__(self, settings: Settings) -> None:
        if settings.delivery is None:
            raise ValueError("there is no delivery section")
        self._settings, self._delivery = settings, settings.delivery
        self._store = Store(state_folder(settings) / FOLDER)
        self._progress: float | None = None
        self._channel: tuple[str, Channel | None] | None = None  # with the slot that it was looked up for
        self._configured: tuple[str, str] | None = None

    @property
    def updater(self) -> Updater[Passed]:
        """What obeys commands."""
        return self._parts.updater

    @property
    def record(self) -> Record:
        """What is remembered."""
        return self._store.record

    def previous(self) -> Bundle | None:
        """Return the good model before the one that serves, verified; None where there is none.

        Raises:
            BundleError: it is damaged.
        """
        record = self._store.record
        on_trial = record.deployment is not None and record.deployment.state == "trial"
        before = record.current if on_trial else record.previous
        return None if before is None else self._store.slots.open(before)

    def serve_first(self, make: Callable[[Bundle], ModelExchange]) -> ModelExchange:
        """Let what an earlier run left serve, or what is left of it; the network is not needed.

        Args:
            make: starts a bundle.

        Raises:
            EdgeagentError: not even the configured bundle can be started.
        """
        bundle = self._store.to_serve(self._delivery.probation.strikes)
        pending = self._store.pending()
        if bundle is not None and pending is not None and pending.state == "trial":
            try:
                return make(bundle)
            except EdgeagentError as error:
                logger.error("the model on trial does not start: %s", error)
                self._give_up_trial(str(error))
                bundle = self._store.good()
        if bundle is not None:
            try:
                return make(bundle)
            except EdgeagentError as error:
                logger.error("the good model does not start (%s); the configured bundle serves", error)
        return make(configured_bundle(self._settings))

    def attach(self, models: ModelExchange, journal: Journal | None, on_change: Callable[[], None]) -> None:
        """Put the rest together.

        Args:
            models: what serves.
            journal: of trials of delegates.
            on_change: called after every change of the record or progress, in the updater's thread.

        Raises:
            EdgeagentError: the settings cannot be used.
        """
        settings, delivery, chance = self._settings, self._delivery, random.Random()
        client = Client(delivery, self._store.folder / "metadata")
        kind = ChannelSource if delivery.hawkbit is None else HawkbitSource
        source = kind(client, self._device, lambda: self._store.record)
        board = DeviceModelRunner(settings, self._store, models, journal)

        def changed(record: Record, progress: float | None) -> None:
            self._progress = progress
            if self._parts.hawkbit is not None:
                self._parts.hawkbit.notify(progress)
            on_change()

        updater: Updater[Passed] = Updater(
            DeploymentContext(self._store, source, board),
            delivery,
            CheckSchedule(
                lambda: next_check_s(delivery.check_every, delivery.jitter, settings.device, chance),
                chance.uniform(0, min(FIRST_CHECK_S, delivery.check_every)),
            ),
            changed,
        )
        board.judge = updater
        hawkbit = self._hawkbit(source, updater) if isinstance(source, HawkbitSource) else None
        self._parts = _Parts(client, source, board, updater, hawkbit)
        board.resume()

    def start(self) -> None:
        """Begin to look for models."""
        self._parts.updater.start()
        if self._parts.hawkbit is not None:
            self._parts.hawkbit.start()

    def stop(self) -> None:
        """End; a trial is not held responsible for it."""
        if self._parts.hawkbit is not None:
            self._parts.hawkbit.stop()
        self._parts.updater.stop(UPDATER_STOP_S)
        self._parts.board.stop()
        self._store.close()

    def frame(self, result: Result) -> None:
        """Learn what a model did with a frame."""
        self._parts.board.frame(result)

    def changed(self, change: Change) -> None:
        """Learn what serves from now on."""
        self._parts.board.changed(change)

    def retained(self) -> Mapping[str, bytes]:
        """Return what a broker keeps of delivery: the messages ``deployment`` and ``update``."""
        record, status, source = self._store.record, self._parts.updater.state(), self._parts.source
        waiting = status.waiting or status.step_error or status.check_error or source.waiting
        channel = self._known_channel(record)
        deployment = build_deployment(
            record,
            channel,
            boot_id=read_board().boot_id,
            progress=self._progress,
            waiting=waiting,
            gate=self._gate_report(record),
        )
        update = build_update(record, self._configured_model(), progress=self._progress, waiting=waiting)
        return {"deployment": deployment.payload(), "update": update.payload()}

    def _device(self) -> Device:
        return read_device(self._settings.device, self._delivery)

    def _give_up_trial(self, error: str) -> None:
        try:
            self._store.move("rolled_back", f"it does not start: {error}", bad=True)
        except EdgeagentError as why:
            logger.error("%s; the trial is judged again at the next start", why)
            self._store.trial_serves = False

    def _hawkbit(self, source: HawkbitSource, updater: Updater[Passed]) -> Hawkbit:
        assert self._delivery.hawkbit is not None  # noqa: S101 - it chose the source
        ddi = Ddi(self._delivery.hawkbit, self._settings.device, self._delivery.proxy, self._delivery.ca)
        board = read_board().model
        return Hawkbit(
            ddi,
            source,
            lambda: self._store.record,
            lambda: attributes(self._device(), self._store.record, board),
            updater,
        )

    def _known_channel(self, record: Record) -> Channel | None:
        """Return the channel that a deployment came from; it is verified once for each."""
        deployment = record.deployment
        if deployment is None:
            return None
        if self._channel is None or self._channel[0] != deployment.model.slot:
            self._channel = deployment.model.slot, self._parts.client.known()
        return self._channel[1]

    def _gate_report(self, record: Record) -> GateSummary | None:
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
