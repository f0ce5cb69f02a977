"""A device whose updater runs on real files and a real engine; only its source is a folder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeagent.delivery.state.record import Record
from edgeagent.delivery.state.store import Store
from edgeagent.delivery.update.protocols import DeploymentContext
from edgeagent.delivery.update.schedule import CheckSchedule
from edgeagent.delivery.update.updater import Updater
from edgeagent.settings.sections.delivery import DeliverySettings, ProbationSettings
from tests.delivery.folder_source import FolderSource, Published
from tests.delivery.runners import OneEngineRunner

LONG_S = 3600.0


PATIENCE_S = 30.0


class Device:
    """A device whose agents end and start; waits for what its updater says."""

    def __init__(self, folder: Path, source: FolderSource) -> None:
        self.folder, self.source, self.runner = folder, source, OneEngineRunner()
        self.settings = DeliverySettings(
            repository="/nowhere", root=Path("/nowhere"), probation=ProbationSettings(strikes=3)
        )
        self.now = 1000.0
        self.told: list[tuple[Record, float | None]] = []
        self._changed = threading.Condition()
        self.store = Store(folder)
        self.store.to_serve(3)
        self.updater = self._make()

    def _make(self) -> Updater[str]:
        return Updater(
            DeploymentContext(self.store, self.source, self.runner),
            self.settings,
            CheckSchedule(lambda: LONG_S),
            self._notify,
            clock=lambda: self.now,
        )

    def _notify(self, record: Record, progress: float | None) -> None:
        with self._changed:
            self.told.append((record, progress))
            self._changed.notify_all()

    def start(self) -> Device:
        self.updater.start()
        return self

    def stop(self) -> None:
        assert self.updater.stop(PATIENCE_S)
        self.store.close()

    def restart(self, **settings: Any) -> Device:
        """End cleanly, and start another agent."""
        self.stop()
        return self.again(**settings)

    def again(self, **settings: Any) -> Device:
        self.settings = self.settings.model_copy(update=settings)
        self.store = Store(self.folder)
        self.store.to_serve(3)
        self.updater = self._make()
        return self.start()

    def until(self, state: str, version: str | None = None) -> None:
        """Wait until the deployment is in a state."""

        def reached() -> bool:
            deployment = self.store.record.deployment
            right = deployment is not None and version in (None, deployment.model.version)
            return right and deployment is not None and deployment.state == state

        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE_S), self.store.record.deployment

    def until_true(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so; the updater answers commands meanwhile."""
        pause = threading.Event()
        for _ in range(10_000):
            if reached():
                return
            self.updater.check_now()
            pause.wait(0.01)  # a command interrupts a fetch; a flood of them would starve it
        raise AssertionError("it does not come to that")

    def until_waits(self) -> None:
        """Wait until a command waits for the updater; called from its thread."""
        waiting = threading.Event()
        while not self.updater._commands.waits():
            waiting.wait(0.001)

    def good(self, version: str) -> None:
        """Let the trial of a version be good."""
        self.until("trial", version)
        assert self.updater.trial_ended(None).result(PATIENCE_S) == "good"

    @property
    def reason(self) -> str | None:
        deployment = self.store.record.deployment
        return deployment.reason if deployment else None

    @property
    def bad(self) -> list[str]:
        return [bad.slot for bad in self.store.record.bad]


def offer(device: Device, *published: Published) -> None:
    device.source.offered.extend(published)
    device.updater.check_now()
