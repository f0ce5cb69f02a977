"""Kills a device at every durable step and at random moments, and looks at what is left.

::

    python -m tests.delivery.crash.campaign [--every N] [--random N] [--seed N] [--sabotage]

For each point a fresh copy of the state is updated until the process dies; then a new start must serve a
verified good model, and the next try must complete the update. Each of these runs is a process of its own.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeagent.delivery.store import FOLDER
from tests.delivery.crash.after import examine
from tests.delivery.crash.device import FINISHED, Site, update
from tests.delivery.crash.faults import Plan
from tests.delivery.crash.sabotage import SABOTAGES
from tests.delivery.folder_source import Published, publish, published

KILLED, WRONG = -9, 4
CHILD_S = 120.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["__main__", "onnxruntime", __name__])  # everything is imported once
Scenario = Literal["install", "update"]
SABOTAGE_SEEDS = 3
SCENARIOS: tuple[Scenario, ...] = ("install", "update")


@dataclass(frozen=True)
class Point:
    """Where a device is killed.

    Attributes:
        scenario: the first model of a device, or the second.
        plan: step before which it dies; None is a moment.
        after_s: the moment, seconds after the start.
    """

    scenario: Scenario
    plan: Plan | None = None
    after_s: float | None = None

    def describe(self, steps: Sequence[str] = ()) -> str:
        """Return it for people."""
        if self.plan is None:
            return f"{self.scenario}: killed after {self.after_s:.3f} s"
        step = steps[self.plan.step - 1] if self.plan.step <= len(steps) else "the end"
        return (
            f"{self.scenario}: {self.plan.how} (seed {self.plan.seed}) before step {self.plan.step}, {step}"
        )


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
        folder: for the published bundles and the devices.

    Attributes:
        steps: of each scenario, as they are done when nothing goes wrong.
        lasts_s: how long each scenario takes then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sabotage: Callable[[], None] | None = None
        self._number = 0
        self.configured = self._publish(folder / "configured", "0.0.1", 1)
        self.first = self._publish(folder / "published" / "1", "1.0.0", 1)
        self.second = self._publish(folder / "published" / "2", "2.0.0", 2)
        self._template = self._site("template")
        self._run(self._template, "install", None)
        self.steps = {scenario: self._count_steps(scenario) for scenario in SCENARIOS}
        self.lasts_s = {scenario: self._measure(scenario) for scenario in SCENARIOS}

    def _sabotaged(self, sabotage: Callable[[], None]) -> Campaign:
        """Return a campaign against the program as ``sabotage`` breaks it, in the processes that die."""
        broken = copy.copy(self)
        broken._sabotage = sabotage
        return broken

    def try_point(self, point: Point, complete: bool = True) -> Outcome:
        """Run a device up to a point, look at what is left, and, to be ``complete``, update it."""
        site = self._fresh(point.scenario)
        try:
            code = self._run(site, point.scenario, point.plan, point.after_s)
            if code not in (KILLED, FINISHED):
                return Outcome(point, False, f"the device ended with {code}: {_why(site.folder)}")
            failure = self._look_after(site, point.scenario)
            if failure is None and complete:
                failure = self._try_again(site, point.scenario)
            return Outcome(point, code == KILLED, failure)
        finally:
            shutil.rmtree(site.folder)

    def notices(self, sabotage: Callable[[], None]) -> Point | None:
        """Return a power cut during an update that shows what ``sabotage`` breaks; None where none does."""
        broken, steps = self._sabotaged(sabotage), len(self.steps["update"])
        for seed, step in itertools.product(range(SABOTAGE_SEEDS), range(steps, 0, -1)):
            point = Point("update", Plan(step, "power", seed))
            if broken.try_point(point, complete=False).failure is not None:
                return point
        return None

    def points(self, every: int, moments: int, seed: int) -> Iterator[Point]:
        """Give every ``every``-th step of both scenarios, by kill and twice by power cut, and moments."""
        chance = random.Random(seed)
        for scenario in SCENARIOS:
            offset = chance.randrange(every)
            for step in range(1 + offset, len(self.steps[scenario]) + 1, every):
                yield Point(scenario, Plan(step, "kill"))
                yield Point(scenario, Plan(step, "power", chance.randrange(1 << 30)))
                yield Point(scenario, Plan(step, "power", chance.randrange(1 << 30)))
            for _ in range(moments):
                yield Point(scenario, None, chance.uniform(0.0, 1.1 * self.lasts_s[scenario]))

    def _look_after(self, site: Site, scenario: Scenario) -> str | None:
        good = [self.first.release.version] if scenario == "update" else []
        code = _in_child(site.folder, examine, site, good, self._offered(scenario)[-1].release)
        return f"after the crash: {_why(site.folder)}" if code else None

    def _try_again(self, site: Site, scenario: Scenario) -> str | None:
        offered = self._offered(scenario)
        code = _in_child(site.folder, update, site, offered, None)
        if code != FINISHED:
            return f"the next try ended with {code}: {_why(site.folder)}"
        newest = offered[-1].release
        code = _in_child(site.folder, examine, site, [newest.version], newest)
        return f"after the next try: {_why(site.folder)}" if code else None

    def _offered(self, scenario: Scenario) -> list[Published]:
        return [self.first] if scenario == "install" else [self.first, self.second]

    def _fresh(self, scenario: Scenario) -> Site:
        self._number += 1
        site = self._site(f"device-{self._number}")
        if scenario == "update":
            shutil.copytree(self._template.state / FOLDER, site.state / FOLDER)
        return site

    def _site(self, name: str) -> Site:
        return Site(self._folder / name, self.configured.folder)

    def _run(self, site: Site, scenario: Scenario, plan: Plan | None, after_s: float | None = None) -> int:
        offered = self._offered(scenario)
        return _in_child(
            site.folder, _broken_update, self._sabotage, site, offered, plan, kill_after_s=after_s
        )

    def _count_steps(self, scenario: Scenario) -> list[str]:
        site = self._fresh(scenario)
        code = self._run(site, scenario, Plan(0))
        if code != FINISHED:
            raise RuntimeError(f"an update without any fault ended with {code}: {_why(site.folder)}")
        return site.steps.read_text().splitlines()

    def _measure(self, scenario: Scenario) -> float:
        site = self._fresh(scenario)
        began = time.monotonic()
        self._run(site, scenario, None)
        return time.monotonic() - began

    def _publish(self, folder: Path, version: str, sequence: int) -> Published:
        """Build a bundle in a process of its own: engines and forks do not mix."""
        if _in_child(self._folder, publish, folder, version, sequence):
            raise RuntimeError(f"{folder}: the bundle cannot be built: {_why(self._folder)}")
        return published(folder, version, sequence)


def _broken_update(
    sabotage: Callable[[], None] | None, site: Site, offered: list[Published], plan: Plan | None
) -> None:
    if sabotage is not None:
        sabotage()
    update(site, offered, plan)


def _in_child(
    folder: Path, task: Callable[..., object], *arguments: object, kill_after_s: float | None = None
) -> int:
    """Run something in a process of its own and return its exit status; the file ``why`` explains it."""
    process = FORKS.Process(target=_explained, args=(folder, task, arguments))
    process.start()
    process.join(CHILD_S if kill_after_s is None else kill_after_s)
    if process.is_alive():
        process.kill()
        process.join()
    code = process.exitcode
    process.close()
    return WRONG if code is None else code


def _explained(folder: Path, task: Callable[..., object], arguments: Sequence[object]) -> None:
    try:
        task(*arguments)
    except Exception:  # noqa: BLE001  (told by the parent)
        (folder / "why").write_text(traceback.format_exc())
        sys.exit(WRONG)


def _why(folder: Path) -> str:
    why = folder / "why"
    return why.read_text().strip() if why.exists() else "it was killed, or it hangs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="try every N-th step (default: all)"
    )
    parser.add_argument("--random", type=int, default=40, metavar="N", help="random moments per scenario")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of what is lost, and of the moments"
    )
    parser.add_argument("--sabotage", action="store_true", help="also see that a broken program is noticed")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeagent-crash-") as folder:
        campaign = Campaign(Path(folder))
        outcomes = []
        for point in campaign.points(options.every, options.random, options.seed):
            outcome = campaign.try_point(point)
            outcomes.append(outcome)
            if outcome.failure:
                _say(f"FAILED {point.describe(campaign.steps[point.scenario])}\n  {outcome.failure}")
        missed = [s.__name__ for s in SABOTAGES if options.sabotage and campaign.notices(s) is None]
        for name in missed:
            _say(f"NOT NOTICED {name}")
        if options.sabotage:
            _say(f"{len(SABOTAGES) - len(missed)} of {len(SABOTAGES)} sabotages of the program are noticed")
        steps = ", ".join(f"{len(steps)} steps of {name}" for name, steps in campaign.steps.items())
    failures = sum(outcome.failure is not None for outcome in outcomes)
    died = sum(outcome.died for outcome in outcomes)
    _say(
        f"{steps}; {len(outcomes)} points, {died} of them died before the update was done; "
        f"{failures} failures; {time.monotonic() - began:.0f} s"
    )
    return 1 if failures or missed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
