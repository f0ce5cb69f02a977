"""A device in a process of its own: it starts, serves, updates, and may be killed at any moment.

What it does is written down in a file outside of its state, the witness; a check after the crash compares the
two.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from edgeagent.bundle.reading import open_bundle
from edgeagent.delivery.record import Record
from edgeagent.delivery.settings import DeliverySettings
from edgeagent.delivery.store import FOLDER, Store
from edgeagent.delivery.updater import Updater
from tests.delivery.boards import OneEngineBoard, run_once
from tests.delivery.crash.faults import FaultyDisk, Plan
from tests.delivery.folder_source import FolderSource, Published

STRIKES = 3
UPDATE_S = 60.0
FINISHED, STUCK = 0, 3


class Site:
    """Where everything of one device lies.

    Attributes:
        state: what it remembers.
        witness: what it did, a line each: ``serving``, ``gated`` or ``passed``, and a version.
        configured: bundle of its configuration.
    """

    def __init__(self, folder: Path, configured: Path) -> None:
        self.folder, self.configured = folder, configured
        self.state, self.witness = folder / "state", folder / "witness"
        self.shadow, self.steps = folder / "shadow", folder / "steps"
        self.state.mkdir(parents=True, exist_ok=True)

    def write(self, what: str) -> None:
        """Add to the witness."""
        with self.witness.open("a") as file:
            file.write(f"{what}\n")

    def witnessed(self) -> set[str]:
        """Return what the device did."""
        return set(self.witness.read_text().splitlines()) if self.witness.exists() else set()


def update(site: Site, offered: list[Published], plan: Plan | None) -> None:
    """Start, let the good model serve, move to the newest release, end cleanly; this process ends here."""
    disk = FaultyDisk(site.state, site.shadow, plan or Plan(0))
    logging.disable()
    if plan is not None:
        disk.install()
    store = Store(site.state / FOLDER)
    bundle = store.to_serve(STRIKES)
    run_once(bundle or open_bundle(site.configured))
    newest = offered[-1].release
    done = threading.Event()

    def told(record: Record, progress: float | None) -> None:
        if record.deployment and record.deployment.state == "trial":
            site.write(f"passed {record.deployment.model.version}")
            updater.trial_ended(None)  # also of a trial that an earlier run began
        if record.current is not None and record.current.slot == newest.slot:
            done.set()

    board = OneEngineBoard()

    def serve(version: str | None) -> None:
        site.write(f"serving {version}")

    board.in_gate = lambda: site.write(f"gated {newest.version}")
    board.on_serve = serve
    settings = DeliverySettings(repository="/nowhere", root=Path("/nowhere"))
    updater = Updater(store, FolderSource(*offered), board, settings, lambda: 3600.0, on_change=told)
    told(store.record, None)
    updater.start()
    finished = done.wait(UPDATE_S)
    updater.stop()
    store.close()
    site.steps.write_text("\n".join(disk.steps))
    os._exit(FINISHED if finished else STUCK)
