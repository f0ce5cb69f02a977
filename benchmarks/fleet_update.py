"""A fleet of simulated devices pulls a release, and then an update, from one static server.

Every device is a client with a folder and a thread of its own, in a few processes; all begin at once.
Printed are how many have the update, the bytes that the server sent for it over devices x artefact, and how
the update checks of such a fleet, switched on at one moment, spread over the interval between two checks
(computed, not waited for).

The exit status is 0 when every device has the update.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random

from edgeagent.delivery.repository.client import Client
from edgeagent.delivery.update.schedule import next_check_s
from edgeagent.errors import DeliveryError
from edgeagent.settings.sections.delivery import DeliverySettings
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository

ARTEFACT = "model.onnx"


def update(folder: Path, settings: DeliverySettings) -> str:
    """Check, and fetch the newest release; return its version, or the error."""
    client = Client(settings, folder / "metadata")
    try:
        release = client.refresh().releases[-1]
        for file in release.files:
            client.fetch(release, file, folder / release.slot / file)
    except DeliveryError as error:
        return f"{type(error).__name__}: {error}"
    return release.version


def update_some(folders: list[Path], settings: DeliverySettings) -> list[str]:
    """Update devices of one process, all at once."""
    with ThreadPoolExecutor(len(folders)) as threads:
        return list(threads.map(lambda folder: update(folder, settings), folders))


def update_all(folders: list[Path], settings: DeliverySettings, processes: int) -> Counter[str]:
    """Update devices in some processes; return how many came to which end."""
    shares = [folders[number::processes] for number in range(min(processes, len(folders)))]
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        ends = pool.map(update_some, shares, [settings] * len(shares))
        return Counter(end for share in ends for end in share)


def spread(devices: int, settings: DeliverySettings, checks: int) -> list[list[int]]:
    """Return the number of checks in each tenth of the interval, for the first check, the second and so on.

    All devices start at time 0 with the same state of their random generators, the worst case.
    """
    every = settings.check_every
    tenths = [[0] * 10 for _ in range(checks)]
    for number in range(devices):
        random, now = Random(0), 0.0
        for check in range(checks):
            now += next_check_s(every, settings.jitter, f"device-{number}", random)
            tenths[check][int(now % every / every * 10)] += 1
    return tenths


def main() -> int:
    """Run the fleet, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument(
        "--size", type=int, default=200_000, help="bytes of the artefact (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        repository = Repository(work / "repository")
        repository.add({ARTEFACT: os.urandom(given.size)})
        folders = [work / f"device-{number}" for number in range(given.devices)]
        with Server(repository.folder) as server:
            settings = DeliverySettings(repository=server.url, root=repository.trusted)
            first = update_all(folders, settings, given.processes)
            installed = server.sent
            repository.add({ARTEFACT: os.urandom(given.size)}, version="2.0.0")
            ends = update_all(folders, settings, given.processes)
            sent = server.sent - installed

    ratio = sent / (given.devices * given.size)
    checks = spread(given.devices, settings, 24)
    print(f"first install: {dict(first)}")
    print(f"update: {dict(ends)}")
    print(
        f"server sent {sent} bytes for the update, {ratio:.4f} x {given.devices} devices x {given.size} bytes"
    )
    for check in (0, 1, 23):
        print(f"check {check + 1} by tenths of the interval: {checks[check]}")
    if given.json:
        numbers = {"first": first, "update": ends, "sent": sent, "ratio": ratio, "checks": checks}
        given.json.write_text(json.dumps(numbers), encoding="utf-8")
    return 0 if ends == {"2.0.0": given.devices} else 1


if __name__ == "__main__":
    sys.exit(main())
