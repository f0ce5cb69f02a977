"""Time from ``publish config`` to the applied configuration on one board, and how long detection pauses.

The real daemon with a real mosquitto, a camera of pictures and a repository over HTTP. Printed for each
configuration: seconds from its publication until the trial begins, until the first frame with it, and until
it is good; and the longest pause between two frames around the new start. The time until the trial includes
the wait for the next update check (``--check-every``), the time until it is good the probation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.broker import Mosquitto
from tests.camera.media import write_pictures
from tests.daemon.running import Consumer, running
from tests.delivery.server import Server
from tests.delivery.signed_repository import Repository
from tests.included import QUICK_NAME


def settings(work: Path, port: int, address: str, root: Path, check_every: str) -> dict[str, Any]:
    """Return the configuration of the board."""
    camera = {"name": "yard", "source": str(work / "pictures"), "fps": 5.0, "loop": True}
    telemetry = {"interval": "1s", "detections": "frames", "detections_rate": 100.0, "detections_empty": True}
    delivery = {
        "repository": address,
        "root": str(root),
        "check_every": check_every,
        "jitter": 0.0,
        "configuration": {"within": "60s", "steady": "5s"},
    }
    return {
        "device": "board",
        "state": str(work / "state"),
        "cameras": [camera],
        "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
        "telemetry": telemetry,
        "mqtt": {"host": "127.0.0.1", "port": port},
        "delivery": delivery,
    }


def seconds(text: str) -> float:
    """Return a time stamp of the contract as seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def reached(consumer: Consumer, version: str, state: str) -> float:
    """Wait for a state of a configuration, and return its time."""

    def wanted(message: dict[str, Any]) -> bool:
        report = message.get("configuration") or {}
        return (report.get("version"), report.get("state")) == (version, state)

    return seconds(consumer.wait_for("deployment", wanted)["configuration"]["since"])


def frames(consumer: Consumer) -> list[float]:
    """Return the times of all frames so far."""
    return sorted(seconds(json.loads(one)["time"]) for one in consumer.payloads("detections/yard"))


def main() -> int:
    """Publish configurations one after the other, and print the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5, help="number of configurations")
    parser.add_argument("--check-every", default="1s", help="interval of update checks of the board")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_pictures(work / "pictures", 3)
        repository = Repository(work / "repository")
        with Server(repository.folder) as server, Mosquitto(work) as broker:
            wanted = settings(work, broker.port, server.url, repository.trusted, given.check_every)
            started = time.time()
            with Consumer(broker.port, "board") as consumer, running(work, wanted) as daemon:
                daemon.wait_until_detecting()
                print(f"a start of the agent takes {time.time() - started:.1f} s until it detects")
                for number in range(1, given.times + 1):
                    version, before = f"{number}.0.0", frames(consumer)
                    began = time.time()
                    repository.configure({"objects": {"appear_after": f"{number}s"}}, version)
                    trial = reached(consumer, version, "trial") - began
                    good = reached(consumer, version, "good") - began
                    after = [one for one in frames(consumer) if one >= (before[-1] if before else 0.0)]
                    pauses = [(b - a, b - began) for a, b in pairwise(after) if b - began > trial]
                    pause, first = max(pauses)  # the new start; good means that frames have come after it
                    rows.append((trial, first, good, pause))
                    print(
                        f"{version}: on trial after {trial:.1f} s, first frame with it after {first:.1f} s, "
                        f"good after {good:.1f} s; longest pause of detection {pause:.1f} s"
                    )
    names = ("on trial", "first frame", "good", "pause")
    medians = [statistics.median(row[column] for row in rows) for column in range(len(names))]
    told = ", ".join(f"{name} {value:.1f} s" for name, value in zip(names, medians, strict=True))
    print(f"median of {len(rows)}: {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
