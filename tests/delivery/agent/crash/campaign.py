"""Kills a board at every durable step of an update of its agent, and at random moments.

For each point a fresh copy of the state goes on until the process dies; then every start must run a verified
good version, or one on trial that was checked, and the next try must complete the update.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.delivery.agent.crash.after import WAYS, examine_board
from tests.delivery.agent.crash.board import FINISHED, INDEX, BoardSite, live
from tests.delivery.agent.offers import channel_of, checked_set, offer
from tests.delivery.crash.children import KILLED, in_child, why
from tests.delivery.crash.faults import Plan
from tests.delivery.signed_repository import Repository
from tests.launcher.package import make_package


@dataclass(frozen=True)
class AgentScenario:
    """An update.

    Attributes:
        name: of it.
        repository: that offers the wanted version.
        wanted: version.
        good: version that runs before; None is the package.
        works: whether it passes its probation.
    """

    name: str
    repository: str
    wanted: str
    good: str | None
    works: bool = True


SCENARIOS = (
    AgentScenario("install", "repository-1", "0.2.0", None),
    AgentScenario("update", "repository-2", "0.3.0", "0.2.0"),
    AgentScenario("roll back", "repository-2", "0.3.0", "0.2.0", works=False),
)
SABOTAGE_SEEDS = 4
AgentSabotage = Callable[[], None]


@dataclass(frozen=True)
class AgentPoint:
    """Where a board is killed: before a step of a plan, or after some seconds."""

    scenario: AgentScenario
    plan: Plan | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        if self.plan is None:
            return f"{self.scenario.name}: killed after {self.after_s:.3f} s"
        return f"{self.scenario.name}: {self.plan.how}, seed {self.plan.seed}, before step {self.plan.step}"


@dataclass(frozen=True)
class AgentOutcome:
    """What came of a point: whether the board really died, and what was wrong; None when all was well."""

    point: AgentPoint
    died: bool
    failure: str | None


class AgentCampaign:
    """Everything that the points of one campaign share.

    Args:
        folder: for the repositories and the boards.

    Attributes:
        steps: of each scenario by its name, as they are done when nothing goes wrong.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._offers = folder, folder / "offers"
        self._number = 0
        prepare_offers(self._offers)
        self._template = BoardSite(folder / "template", self._offers)
        self._undisturbed(self._template, SCENARIOS[0], None)
        self.steps = {one.name: self._count_steps(one) for one in SCENARIOS}
        self.lasts_s = {one.name: self._measure(one) for one in SCENARIOS}

    def points(self, every: int, moments: int, seed: int) -> Iterator[AgentPoint]:
        """Give every ``every``-th step of all scenarios, by kill and by power cut, and moments."""
        chance = random.Random(seed)
        for scenario in SCENARIOS:
            for step in range(1 + chance.randrange(every), len(self.steps[scenario.name]) + 1, every):
                yield AgentPoint(scenario, Plan(step, "kill"))
                yield AgentPoint(scenario, Plan(step, "power", chance.randrange(1 << 30)))
            for _ in range(moments):
                yield AgentPoint(scenario, None, chance.uniform(0.0, 1.1 * self.lasts_s[scenario.name]))

    def try_point(
        self, point: AgentPoint, sabotage: AgentSabotage | None = None, complete: bool = True
    ) -> AgentOutcome:
        """Run a board up to a point, examine what is left, and, to be ``complete``, let it go on."""
        site, scenario = self._fresh(point.scenario), point.scenario
        try:
            code = self._run(site, scenario, point.plan, sabotage, point.after_s)
            if code not in (KILLED, FINISHED):
                return AgentOutcome(point, False, f"the board ended with {code}: {self._said(site)}")
            failure = self._examine(site, scenario, sabotage)
            if failure is None and complete:
                again = self._run(site, scenario, point.plan and Plan(0))
                failure = (
                    None if again == FINISHED else f"the next try ended with {again}: {self._said(site)}"
                )
                failure = failure or self._examine(site, scenario, None, WAYS[:1])
            return AgentOutcome(point, code == KILLED, failure)
        finally:
            shutil.rmtree(site.folder)

    def notices(self, sabotage: AgentSabotage) -> AgentPoint | None:
        """Return a power cut that shows what ``sabotage`` breaks; None where none does."""
        update = SCENARIOS[1]
        for seed in range(SABOTAGE_SEEDS):
            for step in range(len(self.steps[update.name]), 0, -1):
                point = AgentPoint(update, Plan(step, "power", seed))
                if self.try_point(point, sabotage, complete=False).failure is not None:
                    return point
        return None

    def _examine(
        self,
        site: BoardSite,
        scenario: AgentScenario,
        sabotage: AgentSabotage | None,
        ways: Sequence[str] = WAYS,
    ) -> str | None:
        code = in_child(site.folder, _examined, sabotage, site, scenario.good, scenario.wanted, ways)
        return f"after the crash: {why(site.folder)}" if code else None

    def _fresh(self, scenario: AgentScenario) -> BoardSite:
        self._number += 1
        site = BoardSite(self._folder / f"board-{self._number}", self._offers)
        if scenario.good is not None:
            shutil.copytree(self._template.agent, site.agent, symlinks=True)
        return site

    def _run(
        self,
        site: BoardSite,
        scenario: AgentScenario,
        plan: Plan | None,
        sabotage: AgentSabotage | None = None,
        kill_after_s: float | None = None,
    ) -> int:
        arguments = (sabotage, site, scenario, plan)
        return in_child(site.folder, _live, *arguments, kill_after_s=kill_after_s)

    def _said(self, site: BoardSite) -> str:
        return site.steps.read_text() if site.steps.exists() else why(site.folder)

    def _undisturbed(self, site: BoardSite, scenario: AgentScenario, plan: Plan | None) -> None:
        code = self._run(site, scenario, plan)
        if code != FINISHED:
            raise RuntimeError(f"an update without any fault ended with {code}: {self._said(site)}")

    def _count_steps(self, scenario: AgentScenario) -> list[str]:
        site = self._fresh(scenario)
        self._undisturbed(site, scenario, Plan(0))
        return site.steps.read_text().splitlines()

    def _measure(self, scenario: AgentScenario) -> float:
        began = time.monotonic()
        self._undisturbed(self._fresh(scenario), scenario, None)
        return time.monotonic() - began


def prepare_offers(folder: Path) -> None:
    """Make the package, and repositories that offer 0.2.0, and then also 0.3.0."""
    make_package(folder / "package")
    repository = Repository(folder / "repository")
    for number, version in enumerate(("0.2.0", "0.3.0"), 1):
        offer(repository, checked_set(folder / f"wheels-{version}", version), folder)
        copy = folder / f"repository-{number}"
        shutil.copytree(repository.folder, copy)
        (copy / INDEX).write_text(channel_of(repository).model_dump_json())


def _live(
    sabotage: AgentSabotage | None, site: BoardSite, scenario: AgentScenario, plan: Plan | None
) -> None:
    if sabotage is not None:
        sabotage()
    live(site, scenario.repository, scenario.wanted, scenario.works, plan)


def _examined(
    sabotage: AgentSabotage | None, site: BoardSite, good: str | None, wanted: str, ways: Sequence[str]
) -> None:
    if sabotage is not None:
        sabotage()
    examine_board(site, good, wanted, ways)
