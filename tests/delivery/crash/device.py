"""A device in a process of its own: it starts, serves, updates, and may be killed at any moment.

It is the store, the updater and the client of an agent, on a signed repository in a folder; the runner loads
the model and runs it. What it does is written down in a file outside of its state, the witness; a check after
the crash compares the two.
"""

from __future__ import annotations

import logging
import os
import threading
from datetime import datetime, timezone
from pathlib import Path

from edgeagent.bundle.reading import open_bundle
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import FOLDER, Store
from edgeagent.delivery.update.channel_source import ChannelSource
from edgeagent.delivery.update.policy import Device
from edgeagent.delivery.update.protocols import DeploymentContext
from edgeagent.delivery.update.schedule import CheckSchedule
from edgeagent.delivery.update.updater import Updater
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.crash.faults import FaultyDisk, Plan
from tests.delivery.crash.offers import CONFIGURED
from tests.delivery.runners import OneEngineRunner, run_once

STRIKES = 3
UPDATE_S = 60.0
FINISHED, STUCK = 0, 3


class Site:
    """Where everything of one device lies.

    Args:
        folder: of the device.
        offers: folder of the repositories and of the configured bundle.

    Attributes:
        state: what it remembers.
        witness: what it did, a line each: ``serving``, ``gated`` or ``passed``, and a version.
        configured: bundle of its configuration.
    """

    def __init__(self, folder: Path, offers: Path) -> None:
        self.folder, self.offers, self.configured = folder, offers, offers / CONFIGURED
        self.state, self.witness = folder / "state", folder / "witness"
        self.shadow, self.steps = folder / "shadow", folder / "steps"
        self.state.mkdir(parents=True, exist_ok=True)

    def settings(self, repository: str) -> DeliverySettings:
        """Return the settings of the device."""
        folder = self.offers / repository
        return DeliverySettings(repository=str(folder), root=folder / "metadata" / "1.root.json")

    def write(self, what: str) -> None:
        """Add to the witness."""
        with self.witness.open("a") as file:
            file.write(f"{what}\n")

    def witnessed(self) -> set[str]:
        """Return what the device did."""
        return set(self.witness.read_text().splitlines()) if self.witness.exists() else set()


def update(site: Site, repository: str, version: str, plan: Plan | None) -> None:
    """Start, let the good model serve, move to a version, end cleanly; this process ends here."""
    disk = FaultyDisk(site.state, site.shadow, plan or Plan(0))
    logging.disable()
    if plan is not None:
        disk.install()
    store = Store(site.state / FOLDER)
    bundle = store.to_serve(STRIKES)
    run_once(bundle or open_bundle(site.configured))
    done = threading.Event()

    def told(record: Record, progress: float | None) -> None:
        if record.deployment and record.deployment.state == "trial":
            site.write(f"passed {record.deployment.model.version}")
            updater.trial_ended(None)  # also of a trial that an earlier run began
        if record.current is not None and record.current.version == version:
            done.set()

    runner = OneEngineRunner()
    runner.in_gate = lambda: site.write(f"gated {version}")
    runner.on_serve = lambda serving: site.write(f"serving {serving}")
    settings = site.settings(repository)
    client = Client(settings, store.folder / "metadata")
    device = Device("gate-pi", ("any",), (), datetime.now(timezone.utc))
    source = ChannelSource(client, lambda: device, lambda: store.record)
    updater = Updater(DeploymentContext(store, source, runner), settings, CheckSchedule(lambda: 3600.0), told)
    told(store.record, None)
    updater.start()
    finished = done.wait(UPDATE_S)
    updater.stop()
    store.close()
    site.steps.write_text("\n".join(disk.steps) if finished else updater.status())
    os._exit(FINISHED if finished else STUCK)
