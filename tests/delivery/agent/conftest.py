from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeagent.delivery.agent.agent_updater import AgentUpdater
from edgeagent.launcher.record import AgentRecord, read_agent_record
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.agent.offers import channel_of, host_of, launched_in, settings_of
from tests.delivery.signed_repository import Repository
from tests.launcher.package import agent_folder, make_package

LONGEST_S = 60.0


class AgentDevice:
    """A device with a package, an updater of the agent, and a signed repository."""

    def __init__(self, folder: Path) -> None:
        self.scratch = folder
        self.repository = Repository(folder / "repository")
        self.state, self.package = folder / "state", make_package(folder / "package")
        self.folder = agent_folder(self.state)
        self.folder.mkdir(parents=True)
        self.restarted = threading.Event()
        self._changed = threading.Condition()
        self.updater: AgentUpdater | None = None

    @property
    def record(self) -> AgentRecord:
        return read_agent_record(self.folder)

    def settings(self, **fields: Any) -> DeliverySettings:
        return settings_of(self.repository.folder, self.repository.trusted, **fields)

    def start(self, slot: str | None = None, *, trial: bool = False, **changes: Any) -> AgentUpdater:
        """Start the updater, and have it see the index."""
        self.restarted.clear()
        start = launched_in(self.state, self.package, slot, trial=trial)
        self.updater = AgentUpdater(self.settings(), host_of(start, self._restart, **changes), self._note)
        self.updater.start()
        self.updater.offer(channel_of(self.repository))
        return self.updater

    def wait(self, what: Callable[[AgentUpdater], object]) -> None:
        """Wait for something that a change of the status or the record makes true."""
        updater = self.updater
        assert updater is not None
        with self._changed:
            assert self._changed.wait_for(lambda: what(updater), LONGEST_S), (updater.status, self.record)

    def stop(self) -> None:
        if self.updater is not None:
            self.updater.stop(LONGEST_S)
            self.updater = None

    def _restart(self) -> None:
        self.restarted.set()
        self._note()

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[AgentDevice]:
    device = AgentDevice(tmp_path)
    yield device
    device.stop()
