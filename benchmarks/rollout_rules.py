"""False halts and found regressions of the rule that halts rollouts, over simulated rollouts.

    python benchmarks/rollout_rules.py [--rollouts 1000] [--devices 500] [--condition CONDITION] [--json]

A fleet has devices of three boards. Frames of a device have lognormal durations about a level of its board,
times a level of its own (spread 15 %); each hour all devices of a board are slower or faster (spread 5 %).
A rollout takes the steps 5, 25 and 100 %; before each further step the condition is judged over an hour, as
`edgeagent publish rollout watch` does. Kinds of rollouts:

    same       the release is as fast as the one before: every halt is a false one
    hot day    as `same`, and after the first step all devices are 30 % slower
    N % slower the release needs N % more time for every frame

The absolute condition for comparison is a p99 15 % above that of the fleet before the rollout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np

from edgeagent.publisher.condition import parse_condition
from edgeagent.publisher.fleet import Fleet, FleetEvidence, hour_of
from edgeagent.publisher.fleet_device import FleetDevice
from edgeagent.publisher.rollout_steps import RolledOut
from edgeagent.timing.histogram import Histogram, bucket_of

BOARD_MS = {"Raspberry Pi 5": 45.0, "Jetson Orin Nano": 12.0, "Coral Dev Board": 18.0}
DEVICE_SPREAD, HOUR_SPREAD, FRAME_SPREAD = 0.15, 0.05, 0.12
FRAMES = 800
STEPS = (5.0, 25.0, 100.0)
KINDS = {"same": 0.0, "hot day": 0.0, "5 % slower": 0.05, "15 % slower": 0.15, "20 % slower": 0.2}
KINDS |= {"30 % slower": 0.3}
NAME, OLD, NEW = "tiny", "1.0.0", "1.1.0"
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass
class Outcome:
    """Halts of one kind of rollouts, and the devices that had the release then."""

    halts: int = 0
    waits: int = 0
    devices: list[int] = field(default_factory=list)


def halted_at(
    random: np.random.Generator, devices: int, slower: float, hot: float, condition: str, least: int
) -> tuple[int | None, bool]:
    """Return the number of devices that had the release when it was halted; and whether a step waited."""
    boards = random.choice(list(BOARD_MS), devices)
    own = random.lognormal(0.0, DEVICE_SPREAD, devices)
    place = random.uniform(0, 100, devices)
    judged = parse_condition(condition)
    for number, percent in enumerate(STEPS[:-1]):
        weather = {board: random.lognormal(0.0, HOUR_SPREAD) * (1 + hot) for board in BOARD_MS}
        fleet = Fleet(lambda: NOW)
        for index in range(devices):
            new = place[index] < percent
            level = BOARD_MS[boards[index]] * own[index] * weather[boards[index]] * (1 + slower * new)
            buckets = np.ceil(np.log2(random.lognormal(np.log(level), FRAME_SPREAD, FRAMES)) * 64) - 1
            version = NEW if new else OLD
            device = FleetDevice(board=str(boards[index]), model=(NAME, version), state="good")
            values, counts = np.unique(buckets.astype(int), return_counts=True)
            device.hours[hour_of(NOW)].buckets.update(zip(values.tolist(), counts.tolist(), strict=True))
            fleet.devices[str(index)] = device
        verdict = judged.judge(FleetEvidence(fleet, RolledOut("stable", NAME, NEW), NOW), least)
        took = int((place < percent).sum())
        if verdict.holds:
            return took, False
        if verdict.holds is None and number == 0:
            return None, True
    return None, False


def usual_p99(random: np.random.Generator, devices: int) -> float:
    """Return the p99 of the fleet before a rollout, in milliseconds."""
    merged = Histogram()
    for board in random.choice(list(BOARD_MS), devices):
        level = BOARD_MS[board] * random.lognormal(0.0, DEVICE_SPREAD)
        values, counts = np.unique(
            [bucket_of(ms) for ms in random.lognormal(np.log(level), FRAME_SPREAD, 200)], return_counts=True
        )
        merged.add(Histogram.of(dict(zip(values.tolist(), counts.tolist(), strict=True))))
    return merged.percentiles().p99 or 0.0


def simulate(rollouts: int, devices: int, condition: str, least: int, kind: str) -> Outcome:
    """Roll out so many releases of one kind."""
    outcome = Outcome()
    for number in range(rollouts):
        random = np.random.default_rng([number, list(KINDS).index(kind)])
        hot = 0.3 if kind == "hot day" else 0.0
        took, waited = halted_at(random, devices, KINDS[kind], hot, condition, least)
        outcome.waits += waited
        if took is not None:
            outcome.halts += 1
            outcome.devices.append(took)
    return outcome


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--least-devices", type=int, default=5)
    parser.add_argument("--condition", default="p99>control+10%")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    absolute = f"p99>{usual_p99(np.random.default_rng(0), 4000) * 1.15:.4g}ms"
    found = []
    for condition in (arguments.condition, absolute):
        for kind in KINDS:
            outcome = simulate(
                arguments.rollouts, arguments.devices, condition, arguments.least_devices, kind
            )
            median = float(np.median(outcome.devices)) if outcome.devices else None
            found.append({"condition": condition, "rollouts": kind, "of": arguments.rollouts})
            found[-1] |= {"halted": outcome.halts, "waited": outcome.waits, "devices_median": median}
            if not arguments.json:
                devices = "" if median is None else f", {median:.0f} devices had it (median)"
                print(
                    f"{condition:18s} {kind:12s} {outcome.halts} of {arguments.rollouts} halted, "
                    f"{outcome.waits} waited for devices{devices}",
                    flush=True,
                )
    if arguments.json:
        print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
