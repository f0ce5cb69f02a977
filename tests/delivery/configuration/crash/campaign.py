"""Kills a board at every durable step of a configuration and at random moments, and examines its state."""

from __future__ import annotations

import copy
import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.delivery.configuration.crash.after import examine_configurations
from tests.delivery.configuration.crash.device import (
    FINISHED,
    VERSIONS,
    ConfiguredSite,
    Scenario,
    move_to,
    prepare,
)
from tests.delivery.crash.children import KILLED, in_child, why
from tests.delivery.crash.faults import Plan

SCENARIOS: tuple[Scenario, ...] = tuple(VERSIONS)
BEFORE: dict[Scenario, Scenario | None] = {"install": None, "update": "install", "rollback": "update"}
SABOTAGE_SEEDS = 3
Sabotage = Callable[[], None]


@dataclass(frozen=True)
class ConfigurationPoint:
    """Where a board is killed: before a step, or after some seconds."""

    scenario: Scenario
    plan: Plan | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        if self.plan is None:
            return f"{self.scenario}: killed after {self.after_s:.3f} s"
        return f"{self.scenario}: {self.plan.how}, seed {self.plan.seed}, before step {self.plan.step}"


@dataclass(frozen=True)
class ConfigurationOutcome:
    """What came of a point; ``failure`` is None when all was well."""

    point: ConfigurationPoint
    died: bool
    failure: str | None


class ConfigurationCampaign:
    """Everything that the points of one campaign share.

    Args:
        folder: for the repositories and the boards.

    Attributes:
        steps: of each scenario, as they are done when nothing goes wrong.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._offers = folder, folder / "offers"
        self._sabotage: Sabotage | None = None
        self._number = 0
        if in_child(folder, prepare, self._offers):
            raise RuntimeError(f"the repositories cannot be made: {why(folder)}")
        self._after: dict[Scenario, ConfiguredSite] = {}
        self.steps: dict[Scenario, list[str]] = {}
        self.lasts_s: dict[Scenario, float] = {}
        for scenario in SCENARIOS:
            site = self._fresh(scenario)
            began = time.monotonic()
            self._undisturbed(site, scenario, None)
            self.lasts_s[scenario] = time.monotonic() - began
            self._after[scenario] = site
            counted = self._fresh(scenario)
            self._undisturbed(counted, scenario, Plan(0))
            self.steps[scenario] = counted.steps.read_text().splitlines()

    def points(self, every: int, moments: int, seed: int) -> Iterator[ConfigurationPoint]:
        """Give every ``every``-th step of all scenarios, by kill and twice by power cut, and moments."""
        chance = random.Random(seed)
        for scenario in SCENARIOS:
            for step in range(1 + chance.randrange(every), len(self.steps[scenario]) + 1, every):
                yield ConfigurationPoint(scenario, Plan(step, "kill"))
                yield ConfigurationPoint(scenario, Plan(step, "power", chance.randrange(1 << 30)))
                yield ConfigurationPoint(scenario, Plan(step, "power", chance.randrange(1 << 30)))
            for _ in range(moments):
                yield ConfigurationPoint(scenario, None, chance.uniform(0.0, 1.1 * self.lasts_s[scenario]))

    def try_point(self, point: ConfigurationPoint, complete: bool = True) -> ConfigurationOutcome:
        """Run a board up to a point, examine the state that is left, and, to be ``complete``, go on."""
        site = self._fresh(point.scenario)
        try:
            code = self._run(site, point.scenario, point.plan, self._sabotage, point.after_s)
            if code not in (KILLED, FINISHED):
                return ConfigurationOutcome(point, False, f"the board ended with {code}: {why(site.folder)}")
            failure = self._examine(site, point.scenario)
            if failure is None and complete:
                failure = self._try_again(site, point.scenario)
            return ConfigurationOutcome(point, code == KILLED, failure)
        finally:
            shutil.rmtree(site.folder)

    def notices(self, sabotage: Sabotage, scenario: Scenario = "update") -> ConfigurationPoint | None:
        """Return a power cut that shows what ``sabotage`` breaks; None where none does."""
        broken, steps = copy.copy(self), len(self.steps[scenario])
        broken._sabotage = sabotage
        for seed, step in itertools.product(range(SABOTAGE_SEEDS), range(steps, 0, -1)):
            point = ConfigurationPoint(scenario, Plan(step, "power", seed))
            if broken.try_point(point, complete=False).failure is not None:
                return point
        return None

    def _good(self, scenario: Scenario) -> list[str]:
        before = BEFORE[scenario]
        return [] if before is None else [VERSIONS[before]]

    def _examine(self, site: ConfiguredSite, scenario: Scenario) -> str | None:
        code = in_child(site.folder, examine_configurations, site, scenario, self._good(scenario))
        return f"after the crash: {why(site.folder)}" if code else None

    def _try_again(self, site: ConfiguredSite, scenario: Scenario) -> str | None:
        code = self._run(site, scenario, None)
        if code != FINISHED:
            return f"the next try ended with {code}: {why(site.folder)}"
        good = self._good(scenario) if scenario == "rollback" else [VERSIONS[scenario]]
        code = in_child(site.folder, examine_configurations, site, scenario, good)
        return f"after the next try: {why(site.folder)}" if code else None

    def _fresh(self, scenario: Scenario) -> ConfiguredSite:
        self._number += 1
        site = ConfiguredSite(self._folder / f"board-{self._number}", self._offers)
        before = BEFORE[scenario]
        if before is not None:
            shutil.copytree(self._after[before].state, site.state, symlinks=True, dirs_exist_ok=True)
        return site

    def _run(
        self,
        site: ConfiguredSite,
        scenario: Scenario,
        plan: Plan | None,
        sabotage: Sabotage | None = None,
        kill_after_s: float | None = None,
    ) -> int:
        return in_child(site.folder, _move, sabotage, site, scenario, plan, kill_after_s=kill_after_s)

    def _undisturbed(self, site: ConfiguredSite, scenario: Scenario, plan: Plan | None) -> None:
        code = self._run(site, scenario, plan)
        if code != FINISHED:
            raise RuntimeError(f"{scenario} without any fault ended with {code}: {why(site.folder)}")


def _move(sabotage: Sabotage | None, site: ConfiguredSite, scenario: Scenario, plan: Plan | None) -> None:
    if sabotage is not None:
        sabotage()
    move_to(site, scenario, plan)
