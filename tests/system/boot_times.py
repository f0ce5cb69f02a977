"""Seconds from the start of a machine to the first detection: ``python -m tests.system.boot_times``, as root.

Each round boots a fresh machine, in which the delegates are not yet measured, and boots it again. The times
are those of the journal; they depend on what else this computer does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

from tests.system.debian_tree import cache_folder
from tests.system.machine import Machine
from tests.system.package import installed
from tests.system.service import configure

FOLLOW = ("journalctl", "--quiet", "--follow", "--no-tail", "--boot", "--output=json")
MARKS = {"ready": "Started edgeagent.service", "first_detection": "first frame of camera gate"}


def measure(machine: Machine) -> dict[str, float]:
    """Boot a machine; return seconds from its first line of the journal to each mark."""
    machine.boot()
    done = machine.wait_for("the first frame", FOLLOW, lambda line: MARKS["first_detection"] in line)
    lines = machine.journal("--boot", "--output=json").splitlines()
    first = int(json.loads(lines[0])["__MONOTONIC_TIMESTAMP"])
    found = {"first_detection": json.loads(done)}
    found["ready"] = next(json.loads(line) for line in lines if MARKS["ready"] in line)
    return {name: (int(entry["__MONOTONIC_TIMESTAMP"]) - first) / 1e6 for name, entry in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--engine", default="auto", help="model.engine of the configuration")
    arguments = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(arguments.times):
        machine = Machine(installed("amd64"), cache_folder() / "runs" / str(os.getpid()))
        try:
            configure(machine, engine=arguments.engine)
            first = measure(machine)
            machine.power_off()
            rounds.append({"first_boot": first, "second_boot": measure(machine)})
        finally:
            machine.close()
    medians = {
        boot: {mark: statistics.median(one[boot][mark] for one in rounds) for mark in MARKS}
        for boot in ("first_boot", "second_boot")
    }
    sys.stdout.write(json.dumps({"rounds": rounds, "medians_s": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
