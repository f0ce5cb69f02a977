"""A board in a process of its own that starts, is updated and restarts, and may be killed at any moment.

Launcher, updater, probation and the stand-in's self-check are real; ``execve`` is replaced by going on in
this process as the version that would run. What the board did is written down outside of its state, the
witness.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgeagent.delivery.agent import agent_updater
from edgeagent.delivery.agent.agent_host import AgentHost
from edgeagent.delivery.agent.probation import AgentProbation
from edgeagent.delivery.agent.self_check import self_check
from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.update.policy import Device
from edgeagent.launcher import start as launcher
from edgeagent.launcher.environment import site_packages
from edgeagent.launcher.launched import Launched, launched, note_up
from edgeagent.launcher.record import read_agent_record
from edgeagent.settings.sections.delivery import AgentUpdateSettings, DeliverySettings
from tests.delivery.crash.faults import FaultyDisk, Plan
from tests.launcher.package import agent_folder

FINISHED, STUCK = 0, 3
MOST_BOOTS = 12
STEP_S = 60.0
INDEX = "index.json"
REAL = "with its programs"


class BoardSite:
    """Where everything of one board lies.

    Args:
        folder: of the board.
        offers: folder of the repositories and of the package.
    """

    def __init__(self, folder: Path, offers: Path) -> None:
        self.folder, self.offers = folder, offers
        self.package = offers / "package"
        self.state, self.shadow = folder / "state", folder / "shadow"
        self.witness, self.steps = folder / "witness", folder / "steps"
        self.state.mkdir(parents=True, exist_ok=True)

    @property
    def agent(self) -> Path:
        """Folder of the versions."""
        return agent_folder(self.state)

    def write(self, what: str) -> None:
        """Add to the witness."""
        with self.witness.open("a") as file:
            file.write(f"{what}\n")

    def witnessed(self) -> set[str]:
        """Return what the board did."""
        return set(self.witness.read_text().splitlines()) if self.witness.exists() else set()


class ExecutedError(BaseException):
    """The launcher would have replaced this process."""

    def __init__(self, program: str, variables: dict[str, str]) -> None:
        super().__init__(program)
        self.program, self.variables = program, variables


def boot(state: Path, package: Path) -> Launched:
    """Start what the unit starts, and return the facts of the version that would run."""
    os.environ["STATE_DIRECTORY"] = str(state)
    sys.prefix = str(package)

    def execute(program: str, arguments: list[str], environment: dict[str, str]) -> None:
        raise ExecutedError(program, environment)

    try:
        launcher.main(["run", "-c", "edgeagent.yaml"], execute)
    except ExecutedError as executed:
        facts = launched(executed.variables)
        assert facts is not None
        return facts
    raise AssertionError("nothing was started")


def version_of(facts: Launched) -> str:
    """Return the version that runs."""
    return facts.packaged if facts.slot is None else facts.slot.rpartition("-")[0]


def live(site: BoardSite, repository: str, wanted: str, works: bool, plan: Plan | None) -> None:
    """Start, update and restart until the wanted version is good, or bad; this process ends here.

    With a plan, the programs that make byte code and check the version are left out: they do no durable step.
    """
    disk = FaultyDisk(site.state, site.shadow / str(os.getpid()), plan or Plan(0))
    logging.disable()
    check: Callable[..., None] = self_check
    if plan is not None:
        disk.install()
        check = _looked_at
        setattr(subprocess, "run", lambda *arguments, **options: None)  # noqa: B010  (of this process only)
    else:
        site.write(REAL)

    def checked(*arguments: Any) -> None:
        check(*arguments)
        site.write(f"checked {arguments[1]}")

    setattr(agent_updater, "self_check", checked)  # noqa: B010
    for _ in range(MOST_BOOTS):
        facts = boot(site.state, site.package)
        note_up(facts)
        if facts.trial:
            _probation(site, facts, works)
        elif _is_done(site, facts, wanted, works):
            site.steps.write_text("\n".join(disk.steps))
            os._exit(FINISHED)
        else:
            _update(site, repository, facts)
    site.steps.write_text("it starts again and again")
    os._exit(STUCK)


def _looked_at(environment: Path, version: str, *_: object) -> None:
    text = (site_packages(environment) / "edgeagent" / "version.py").read_text()
    assert f'"{version}"' in text


def _is_done(site: BoardSite, facts: Launched, wanted: str, works: bool) -> bool:
    if works:
        return version_of(facts) == wanted
    return any(bad.version == wanted for bad in read_agent_record(site.agent).bad)


def _probation(site: BoardSite, facts: Launched, works: bool) -> None:
    settings = AgentUpdateSettings(time=1e-9, within=1e-9, frames=1)
    probation = AgentProbation(facts, settings, lambda: works, restart=lambda: None)
    probation.count_frame()
    if works:
        site.write(f"passing {version_of(facts)}")
    probation.look()
    if not works:
        site.write(f"left {version_of(facts)}")


def _update(site: BoardSite, repository: str, facts: Launched) -> None:
    folder = site.offers / repository
    settings = DeliverySettings(
        repository=str(folder), root=folder / "metadata" / "1.root.json", agent=AgentUpdateSettings()
    )
    restarted = threading.Event()
    device = Device("gate-pi", ("any",), (), datetime.now(timezone.utc))
    host = AgentHost(facts, lambda: device, lambda: None, lambda: None, lambda: (True, True), restarted.set)
    setattr(agent_updater, "__version__", version_of(facts))  # noqa: B010
    updater = agent_updater.AgentUpdater(settings, host)
    updater.start()
    updater.offer(Channel.model_validate_json((folder / INDEX).read_bytes()))
    if not restarted.wait(STEP_S):
        site.steps.write_text(str(updater.status))
        os._exit(STUCK)
    updater.stop(STEP_S)
