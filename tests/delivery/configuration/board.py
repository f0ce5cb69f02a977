"""A board without cameras or engines that follows configurations: the real store, client and updater.

What would be the agent is the choice of what serves at each start, and what works then is said by the test.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeagent.delivery.configuration.deployment_steps import ConfigurationContext
from edgeagent.delivery.configuration.record import ConfigurationDeployment, ConfigurationRecord, WorkingParts
from edgeagent.delivery.configuration.serving import ServedConfiguration, open_configuration
from edgeagent.delivery.configuration.updater import ConfigurationUpdater
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.update.policy import Device
from edgeagent.settings.file import read_own

PATIENCE = 30.0
ALL_WORKS = WorkingParts(cameras=("yard",), broker=True, detecting=True)


class ConfiguredBoard:
    """A board with a folder.

    Args:
        folder: for its file and its state.
        repository: folder of the repository.
        root: trusted root.
        fields: of ``delivery``.

    Attributes:
        works: what works; a function of the served configuration.
        served: configuration that serves in this run.
        ended: deployments that have ended.
        busy: why it must not start again.
    """

    def __init__(self, folder: Path, repository: Path | str, root: Path, **fields: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.file = folder, folder / "edgeagent.yaml"
        self.fields: dict[str, Any] = {
            "repository": str(repository),
            "root": str(root),
            "configuration": {"within": "200ms", "steady": "1ms", "strikes": 3},
            **fields,
        }
        self.own: dict[str, Any] = {"device": "board", "cameras": [{"name": "yard", "source": "0"}]}
        self.works: Callable[[ServedConfiguration], WorkingParts] = lambda served: ALL_WORKS
        self.ended: list[ConfigurationDeployment] = []
        self.busy: str | None = None
        self._changed = threading.Condition()
        self._restart = threading.Event()

    def write(self) -> None:
        """Write the file of the board."""
        whole = {**self.own, "state": str(self.folder / "state"), "delivery": self.fields}
        self.file.write_text(json.dumps(whole))

    def start(self) -> ServedConfiguration:
        """Start the agent: choose what serves, and follow the channel."""
        self.write()
        self._restart.clear()
        self.served = served = open_configuration(read_own(self.file))
        assert served.store is not None
        assert served.own.settings.delivery is not None
        self.store = served.store
        self.client = Client(served.own.settings.delivery, self.folder / "state" / "index")
        context = ConfigurationContext(
            served,
            Client(served.own.settings.delivery, self.store.folder / "metadata"),
            lambda: Device("board", ("any",), (), datetime.now(timezone.utc)),
            lambda: self.works(served),
            lambda: self.busy,
            self._restart.set,
            self.ended.append,
        )
        self.updater = ConfigurationUpdater(context, self._tell)
        self.updater.start()
        return served

    def check(self) -> None:
        """Check for updates, as the updater of models does."""
        self.updater.index_arrived(self.client.refresh())

    def stop(self) -> None:
        """Stop cleanly."""
        self.updater.stop(PATIENCE)

    def start_again(self) -> ServedConfiguration:
        """Wait until the board wants to start again, and do it."""
        assert self._restart.wait(PATIENCE), self.updater.configuration_status()
        self.stop()
        return self.start()

    def until(self, wanted: Callable[[ConfigurationRecord], bool]) -> ConfigurationRecord:
        """Wait for a record."""
        with self._changed:
            found = self._changed.wait_for(lambda: wanted(self.store.record), PATIENCE)
            assert found, (self.updater.configuration_status(), self.store.record)
        return self.store.record

    def until_state(self, state: str, version: str) -> ConfigurationRecord:
        """Wait for a state of the deployment of a version."""

        def reached(record: ConfigurationRecord) -> bool:
            deployment = record.deployment
            return deployment is not None and (deployment.state, deployment.configuration.version) == (
                state,
                version,
            )

        return self.until(reached)

    def until_waiting(self, words: str) -> str:
        """Wait for a reason why nothing is done, and return it."""
        with self._changed:
            found = self._changed.wait_for(lambda: words in (self.updater.report().waiting or ""), PATIENCE)
            assert found, self.updater.configuration_status()
        return self.updater.report().waiting or ""

    def take(self, version: str) -> None:
        """Move to a version that is offered, up to its good end."""
        self.check()
        self.start_again()
        self.until_state("good", version)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
