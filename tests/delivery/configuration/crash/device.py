"""A board in a process of its own that moves to a configuration, and may be killed at any moment.

Its starts are turns of a loop in one process. What it does is written down in a file outside of its state,
the witness; a check after the crash compares the two.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from edgeagent.delivery.configuration import deployment_steps, updater
from edgeagent.delivery.configuration.deployment_steps import ConfigurationContext
from edgeagent.delivery.configuration.record import WorkingParts
from edgeagent.delivery.configuration.serving import open_configuration
from edgeagent.delivery.configuration.store import CONFIGURATION
from edgeagent.delivery.configuration.updater import ConfigurationUpdater
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.state.store import FOLDER
from edgeagent.delivery.update.policy import Device
from edgeagent.settings.file import read_own
from edgeagent.settings.own_configuration import OwnConfiguration
from tests.delivery.crash.faults import FaultyDisk, Plan
from tests.delivery.signed_repository import Repository

Scenario = Literal["install", "update", "rollback"]
VERSIONS: dict[Scenario, str] = {"install": "1.0.0", "update": "2.0.0", "rollback": "3.0.0"}
WORKS = WorkingParts(cameras=("yard",), broker=True, detecting=True)
RUN_S = 20.0
MOST_STARTS = 12
FINISHED, STUCK = 0, 3


def prepare(folder: Path) -> None:
    """Make a repository for each scenario; each offers one configuration more."""
    repository = Repository(folder / "repository")
    for number, (scenario, version) in enumerate(VERSIONS.items(), 1):
        repository.configure({"telemetry": {"interval": f"{number}s"}}, version)
        shutil.copytree(repository.folder, folder / scenario)


class ConfiguredSite:
    """Where everything of one board lies.

    Args:
        folder: of the board.
        offers: folder of the repositories.
    """

    def __init__(self, folder: Path, offers: Path) -> None:
        self.folder, self.offers = folder, offers
        self.state, self.witness = folder / "state", folder / "witness"
        self.shadow, self.steps = folder / "shadow", folder / "steps"
        self.configurations = self.state / FOLDER / CONFIGURATION
        self.state.mkdir(parents=True, exist_ok=True)

    def own(self, scenario: Scenario) -> OwnConfiguration:
        """Return the configuration of the board's file."""
        repository = self.offers / scenario
        file = self.folder / "edgeagent.yaml"
        delivery = {
            "repository": str(repository),
            "root": str(repository / "metadata" / "1.root.json"),
            "configuration": {"within": "20ms", "steady": "1ms", "strikes": 3},
        }
        cameras = [{"name": "yard", "source": "0"}]
        file.write_text(json.dumps({"state": str(self.state), "cameras": cameras, "delivery": delivery}))
        return read_own(file)

    def write(self, what: str) -> None:
        """Add to the witness."""
        with self.witness.open("a") as file:
            file.write(f"{what}\n")

    def witnessed(self) -> set[str]:
        """Return what the board did."""
        return set(self._lines())

    def witnessed_times(self, what: str) -> int:
        """Return how often the board did something."""
        return self._lines().count(what)

    def _lines(self) -> list[str]:
        return self.witness.read_text().splitlines() if self.witness.exists() else []


def move_to(site: ConfiguredSite, scenario: Scenario, plan: Plan | None) -> None:
    """Start again and again until the scenario has come to its end; this process ends here."""
    logging.disable()
    deployment_steps.LOOK_S = deployment_steps.ASK_AGAIN_S = 0.002
    updater.RETRY_FIRST_S = updater.RETRY_LONGEST_S = 0.01
    own = site.own(scenario)
    disk = FaultyDisk(site.state, site.shadow, plan or Plan(0))
    if plan is not None:
        disk.install()
    finished = any(_run(site, own, scenario) for _ in range(MOST_STARTS))
    site.steps.write_text("\n".join(disk.steps))
    os._exit(FINISHED if finished else STUCK)


def _run(site: ConfiguredSite, own: OwnConfiguration, scenario: Scenario) -> bool:
    """Run the agent once; return whether the scenario has come to its end."""
    served, wanted = open_configuration(own), VERSIONS[scenario]
    site.write(f"serving {served.version}")
    assert served.store is not None
    assert own.settings.delivery is not None
    store, changed, again = served.store, threading.Event(), threading.Event()

    def works() -> WorkingParts:
        if served.version == VERSIONS["rollback"]:
            return WorkingParts()
        site.write(f"worked {served.version}")
        return WORKS

    def restart() -> None:
        again.set()
        changed.set()

    context = ConfigurationContext(
        served,
        Client(own.settings.delivery, store.folder / "metadata"),
        lambda: Device("board", ("any",), (), datetime.now(timezone.utc)),
        works,
        lambda: None,
        restart,
        lambda deployment: None,
    )

    def ended() -> bool:
        if scenario == "rollback":
            return any(one.version == wanted for one in store.record.bad) and served.version != wanted
        return store.record.current is not None and store.record.current.version == wanted

    follower = ConfigurationUpdater(context, changed.set)
    follower.start()
    follower.index_arrived(Client(own.settings.delivery, site.folder / "index").refresh())
    while not again.is_set() and not ended():
        if not changed.wait(RUN_S):
            raise TimeoutError(f"{follower.configuration_status()}: {store.record}")
        changed.clear()
    follower.stop(RUN_S)
    return not again.is_set() and ended()
