"""A fleet of simulated devices converges on a configuration that is published in two steps over HTTP.

Every device has a folder, the client, the policy, the check and the store of a real one; what it lacks are
cameras and engines, so that its trial passes at once. The devices live in a few processes, each with threads,
and check again and again. Printed are how many take the first step and how many the second, the seconds from
publication until the last one has it, and the requests and bytes that the server answered.

The exit status is 0 when every device has the configuration. The times are those of this machine, on which
all devices and the server share the processors.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timezone
from multiprocessing import get_context
from pathlib import Path

from edgeagent.delivery.configuration.choice import choose_configuration, stored
from edgeagent.delivery.configuration.record import WorkingParts
from edgeagent.delivery.configuration.serving import open_configuration
from edgeagent.delivery.repository.channel_entry import Rollout
from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.update.policy import Device
from edgeagent.errors import EdgeagentError
from edgeagent.settings.file import read_own
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository

CHECKS = 20
"""Most checks of a device in one step, each after an error."""


def check(folder: Path) -> str:
    """Check once, take the configuration that the policy allows, and return the version that serves."""
    served = open_configuration(read_own(folder / "edgeagent.yaml"))
    store, delivery = served.store, served.own.settings.delivery
    if store is None or delivery is None:
        return f"no store: {served.problem}"
    try:
        client = Client(delivery, store.folder / "metadata")
        channel = client.refresh()
        device = Device(served.own.settings.device, ("any",), (), datetime.now(timezone.utc))
        entry = choose_configuration(channel, device, store.record).entry
        if entry is not None:
            configuration = stored(entry)
            store.begin(configuration)
            store.path(configuration).parent.mkdir(exist_ok=True)
            client.fetch_target(entry.target(channel.channel), store.path(configuration), entry.size)
            served.serve(configuration, served.apply(configuration))
            store.move("staged")
            store.begin_trial(WorkingParts(), ())
            store.passed()
        return served.version or "none"
    finally:
        served.close()


def converge(folder: Path) -> tuple[str, float, int]:
    """Check until that succeeds; return the version, the time of the end and the number of checks."""
    failure = ""
    for number in range(1, CHECKS + 1):
        try:
            return check(folder), time.time(), number
        except EdgeagentError as error:
            failure = f"{type(error).__name__}: {error}"
    return failure, time.time(), CHECKS


def some(folders: list[Path], threads: int) -> list[tuple[str, float, int]]:
    """Let the devices of one process check, some of them side by side."""
    logging.disable()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(converge, folders))


def every(
    pool: ProcessPoolExecutor, folders: list[Path], processes: int, threads: int
) -> list[tuple[str, float, int]]:
    """Let all devices check."""
    shares = [folders[number::processes] for number in range(processes)]
    return [one for share in pool.map(some, shares, [threads] * processes) for one in share]


def main() -> int:
    """Run the fleet, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=25, help="devices of a process that check at a time")
    parser.add_argument("--percent", type=float, default=10.0, help="share of the first step")
    given = parser.parse_args()
    processes = min(given.processes, given.devices)

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        repository = Repository(work / "repository")
        entry = repository.configure(
            {"telemetry": {"interval": "30s"}}, "1.0.0", rollout=Rollout(id="1", percent=given.percent)
        )
        folders = [work / f"device-{number}" for number in range(given.devices)]
        with (
            Server(repository.folder) as server,
            ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
        ):
            for number, folder in enumerate(folders):
                folder.mkdir()
                own = {
                    "device": f"device-{number}",
                    "state": str(folder / "state"),
                    "cameras": [{"name": "yard", "source": "0"}],
                    "delivery": {"repository": server.url, "root": str(repository.trusted)},
                }
                (folder / "edgeagent.yaml").write_text(json.dumps(own), encoding="utf-8")
            steps = []
            for percent in (given.percent, 100.0):
                rollout = Rollout(id="1", percent=percent)
                repository.change_configurations([entry.model_copy(update={"rollout": rollout})])
                requests, sent, began = len(server.asked), server.sent, time.time()
                found = every(pool, folders, processes, given.threads)
                steps.append(
                    {
                        "percent": percent,
                        "devices": dict(Counter(version for version, _, _ in found)),
                        "converged_s": round(max(end for _, end, _ in found) - began, 1),
                        "checks": sum(checks for _, _, checks in found),
                        "requests": len(server.asked) - requests,
                        "bytes": server.sent - sent,
                    }
                )
    for step in steps:
        print(json.dumps(step))
    return 0 if steps[-1]["devices"] == {"1.0.0": given.devices} else 1


if __name__ == "__main__":
    sys.exit(main())
