"""Kills a device at every durable step and at random moments, and examines the state that is left.

For each point a fresh copy of the state is updated until the process dies; then a new start must serve a
verified good model, and the next try must complete the update. Each of these runs is a process of its own.
"""

from __future__ import annotations

import copy
import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.delivery.repository.channel import Release
from edgeagent.delivery.state.store import FOLDER
from tests.delivery.crash.after import examine
from tests.delivery.crash.children import KILLED, in_child, why
from tests.delivery.crash.device import FINISHED, Site, update
from tests.delivery.crash.faults import Plan
from tests.delivery.crash.offers import prepare, releases

Scenario = Literal["install", "update"]
SCENARIOS: tuple[Scenario, ...] = ("install", "update")
REPOSITORIES = {"install": "repository-1", "update": "repository-2"}
SABOTAGE_SEEDS = 3
Sabotage = Callable[[], None]


@dataclass(frozen=True)
class Point:
    """Where a device is killed.

    Attributes:
        scenario: on the way to the first model of a device, or to the second.
        plan: step before which it dies; None is a moment.
        after_s: the moment, seconds after the start.
    """

    scenario: Scenario
    plan: Plan | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        if self.plan is None:
            return f"{self.scenario}: killed after {self.after_s:.3f} s"
        return f"{self.scenario}: {self.plan.how}, seed {self.plan.seed}, before step {self.plan.step}"


@dataclass(frozen=True)
class Outcome:
    """What came of a point.

    Attributes:
        point: which.
        died: whether the device really was killed; it may have been quicker.
        failure: what was wrong afterwards; None when all was well.
    """

    point: Point
    died: bool
    failure: str | None


class Campaign:
    """Everything that the points of one campaign share.

    Args:
        folder: for the repositories and the devices.

    Attributes:
        steps: of each scenario, as they are done when nothing goes wrong.
        lasts_s: how long each scenario takes then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._offers = folder, folder / "offers"
        self._sabotage: Sabotage | None = None
        self._number = 0
        if in_child(folder, prepare, self._offers):
            raise RuntimeError(f"the repositories cannot be made: {why(folder)}")
        first, second = releases(self._offers)
        self._wanted: dict[Scenario, Release] = {"install": first, "update": second}
        self._template = Site(folder / "template", self._offers)
        self._undisturbed(self._template, "install", None)
        self.steps = {scenario: self._count_steps(scenario) for scenario in SCENARIOS}
        self.lasts_s = {scenario: self._measure(scenario) for scenario in SCENARIOS}

    def points(self, every: int, moments: int, seed: int) -> Iterator[Point]:
        """Give every ``every``-th step of both scenarios, by kill and twice by power cut, and moments."""
        chance = random.Random(seed)
        for scenario in SCENARIOS:
            for step in range(1 + chance.randrange(every), len(self.steps[scenario]) + 1, every):
                yield Point(scenario, Plan(step, "kill"))
                yield Point(scenario, Plan(step, "power", chance.randrange(1 << 30)))
                yield Point(scenario, Plan(step, "power", chance.randrange(1 << 30)))
            for _ in range(moments):
                yield Point(scenario, None, chance.uniform(0.0, 1.1 * self.lasts_s[scenario]))

    def try_point(self, point: Point, complete: bool = True) -> Outcome:
        """Run a device up to a point, examine the state that is left, and, to be ``complete``, update it."""
        site = self._fresh(point.scenario)
        try:
            code = self._run(site, point.scenario, point.plan, self._sabotage, point.after_s)
            if code not in (KILLED, FINISHED):
                return Outcome(point, False, f"the device ended with {code}: {why(site.folder)}")
            failure = self._examine(site, point.scenario)
            if failure is None and complete:
                failure = self._try_again(site, point.scenario)
            return Outcome(point, code == KILLED, failure)
        finally:
            shutil.rmtree(site.folder)

    def notices(self, sabotage: Sabotage) -> Point | None:
        """Return a power cut during an update that shows what ``sabotage`` breaks; None where none does."""
        broken, steps = copy.copy(self), len(self.steps["update"])
        broken._sabotage = sabotage
        for seed, step in itertools.product(range(SABOTAGE_SEEDS), range(steps, 0, -1)):
            point = Point("update", Plan(step, "power", seed))
            if broken.try_point(point, complete=False).failure is not None:
                return point
        return None

    def _examine(self, site: Site, scenario: Scenario) -> str | None:
        good = [self._wanted["install"].version] if scenario == "update" else []
        code = in_child(site.folder, examine, site, good, self._wanted[scenario])
        return f"after the crash: {why(site.folder)}" if code else None

    def _try_again(self, site: Site, scenario: Scenario) -> str | None:
        code = self._run(site, scenario, None)
        if code != FINISHED:
            status = site.steps.read_text() if site.steps.exists() else why(site.folder)
            return f"the next try ended with {code}: {status}"
        wanted = self._wanted[scenario]
        code = in_child(site.folder, examine, site, [wanted.version], wanted)
        return f"after the next try: {why(site.folder)}" if code else None

    def _fresh(self, scenario: Scenario) -> Site:
        self._number += 1
        site = Site(self._folder / f"device-{self._number}", self._offers)
        if scenario == "update":
            shutil.copytree(self._template.state / FOLDER, site.state / FOLDER, symlinks=True)
        return site

    def _run(
        self,
        site: Site,
        scenario: Scenario,
        plan: Plan | None,
        sabotage: Sabotage | None = None,
        kill_after_s: float | None = None,
    ) -> int:
        wanted = self._wanted[scenario].version
        arguments = (sabotage, site, REPOSITORIES[scenario], wanted, plan)
        return in_child(site.folder, _update, *arguments, kill_after_s=kill_after_s)

    def _undisturbed(self, site: Site, scenario: Scenario, plan: Plan | None) -> None:
        code = self._run(site, scenario, plan)
        if code != FINISHED:
            status = site.steps.read_text() if site.steps.exists() else why(site.folder)
            raise RuntimeError(f"an update without any fault ended with {code}: {status}")

    def _count_steps(self, scenario: Scenario) -> list[str]:
        site = self._fresh(scenario)
        self._undisturbed(site, scenario, Plan(0))
        return site.steps.read_text().splitlines()

    def _measure(self, scenario: Scenario) -> float:
        began = time.monotonic()
        self._undisturbed(self._fresh(scenario), scenario, None)
        return time.monotonic() - began


def _update(sabotage: Sabotage | None, site: Site, repository: str, version: str, plan: Plan | None) -> None:
    if sabotage is not None:
        sabotage()
    update(site, repository, version, plan)
